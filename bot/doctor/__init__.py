"""`gpubot doctor`: checks everything that `gpubot run` needs, and says how to correct what is wrong.

findings   the result of a check, and that of a failed call to Slack
slack      tokens, scopes, people
channels   channels and their members
host       the database, the port, the proxies, the clock, GitHub, Compute Clear
examine    runs all checks; one that breaks doesn't hide the others
"""
