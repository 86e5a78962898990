"""Brings Slack up to date with the store.

pace       how fast Slack may be spoken to
content    what a message should say now
finding    whether Slack has a post already
posting    one message: post, edit or answer, and what Slack's answer means
direct     what can't wait for the outbox
loop       what is due, in which order, side by side
"""
