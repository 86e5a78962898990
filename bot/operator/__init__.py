"""Operator commands on the bot's machine, for use when Slack is down.

They talk to the running bot over a socket. The command in resource.py only needs Compute Clear.
"""
