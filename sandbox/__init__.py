"""The outside world on one machine: the Compute Clear API, a Slack workspace, SSH hosts, and the keys of GitHub.

It speaks the real protocols and knows nothing of the bot. `client` drives it. See docs/sandbox.md.
"""
