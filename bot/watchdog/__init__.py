"""`gpubot watchdog`: a small process on another machine that watches the bot (docs/watchdog.md).

The watchdog can delete machines too. For this, it shares only the client of Compute Clear with the bot.
"""
