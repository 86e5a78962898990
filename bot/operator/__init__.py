"""Commands by hand on the bot's machine, for when Slack is away: to the running bot over a socket, or, with
resource.py, to Compute Clear alone.
"""
