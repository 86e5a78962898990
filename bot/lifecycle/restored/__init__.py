"""Everything that follows if the database was restored from a backup, or is empty.

The database is then older than the account and Slack, as after a failover to a standby that lagged. Two things
show it:

- machines.py: a machine on the account is named `gpubot-ID-N`, and the database lacks rental ID or its attempt N.
- messages.py: Slack shows a later version of a message than the database has, or somebody clicks a message about a
  rental that the database lacks.

Until both were looked for, nothing is bought, after any start: `Opened` in bot/lifecycle/deps.py has whether the
account was swept, and bot/lifecycle/money/buying_blocks.py whether a rental's card was compared with Slack.
docs/decisions/account.md has the reasons.
"""
