"""What people can do in Slack, one module for each subject: its buttons, dialogs and replies. Each calls an action
of bot/lifecycle/actions.
"""
