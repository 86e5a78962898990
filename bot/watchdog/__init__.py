"""`gpubot watchdog`: a small process on another machine that watches the bot (docs/watchdog.md).

The watchdog can also delete machines. It calls Compute Clear itself, so this works even if the bot is down.
"""
