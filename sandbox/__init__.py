"""The outside world on one machine: the Compute Clear API, a Slack workspace, and SSH hosts.

It speaks the real protocols and knows nothing of the bot; see docs/sandbox.md.
"""
