"""`gpubot doctor`: checks everything that `gpubot run` needs, and explains how to fix problems.

- findings: the result of a check, and of a failed call to Slack
- slack: tokens, scopes and people
- channels: channels and their members
- host: the database, the ports, the proxies, the clock, GitHub and Compute Clear
- examine: runs all checks, and ensures that a bug in one check doesn't hide the results of the others
"""
