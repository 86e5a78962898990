"""Simulates every outside service on one machine: the Compute Clear API, Slack, SSH hosts and GitHub's keys.

The sandbox speaks the real protocols and contains no code of the bot. Tests and demos control it through
`sandbox.client`. See docs/sandbox.md.
"""
