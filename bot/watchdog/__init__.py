"""`gpubot watchdog`: a small process on another machine that watches the bot (docs/watchdog.md).

It shares no code with the bot's own deletions but the market's client.
"""
