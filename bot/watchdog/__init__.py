"""`gpubot watchdog`: a small process on another machine that watches the bot (docs/watchdog.md).

Apart from the client of the market, it shares no code with the bot's own deletion of machines.
"""
