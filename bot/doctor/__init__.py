"""`gpubot doctor`: checks everything that `gpubot run` needs, and says how to correct what is wrong.

findings   the result of a check
slack      tokens, scopes, people
channels   channels and their members
calls      what a failed call to Slack means
market     Compute Clear
host       the database, the port, the proxies, the clock
examine    runs all checks; one that breaks doesn't hide the others
"""
