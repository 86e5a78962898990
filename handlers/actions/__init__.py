"""Everything that people can do in Slack, one module for each subject.

Each module contains the buttons, dialogs and replies of its subject, and calls an action of
`bot/lifecycle/actions`.
"""
