"""Handles a database that was restored from a backup, or is empty.

Such a database lacks the latest changes. Slack may already show these changes, and machines that were bought after
the backup may be running. The same can happen after a failover to a lagging standby. There are two signs of this:

- machines.py: A machine on the account is named `gpubot-ID-N`, and the rental with this ID or its attempt N isn't
  in the database.
- messages.py: Slack shows a newer version of a message than the database contains, or somebody clicks a button in
  a message about a rental that isn't in the database.

After every start, nothing is bought before both signs have been checked. `Opened` in bot/lifecycle/deps.py records
whether the account has been compared with the database. bot/lifecycle/money/buying_blocks.py checks whether the
message that shows a rental has been compared with Slack. The reasons are in docs/decisions/account.md.
"""
