"""`gpubot watchdog`: a small process on another machine that watches the bot (docs/watchdog.md).

When the watchdog deletes machines, the only code that it shares with the bot's own deletion is the client of the
market.
"""
