"""`gpubot doctor`: checks everything that `gpubot run` needs, and says how to correct what is wrong.

findings   the result of a check
slack      tokens, scopes, people
channels   channels and their members
calls      the finding for a failed call to Slack
market     Compute Clear
host       the database, the port, the proxies, the clock
examine    runs all checks; one that breaks doesn't hide the others
"""
