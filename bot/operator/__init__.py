"""Operator commands on the bot's machine, for use when Slack is down.

The commands are sent to the running bot over a socket. Only the command in resource.py works without the bot: it
needs nothing but Compute Clear.
"""
