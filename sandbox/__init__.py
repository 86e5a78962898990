"""The outside world on one machine: the Compute Clear API, a Slack workspace, and SSH hosts.

It speaks the real protocols and knows nothing of the bot. `client` drives it. See docs/sandbox.md.
"""
