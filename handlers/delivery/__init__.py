"""Brings Slack up to date with the outbox, the stored messages that have to be posted, edited or answered.

pace          how fast Slack may be called; the only module that limits the rate content       what a message
should say now read_back     whether Slack already has a post posting       one message: find, post, edit, refresh
or answer it, and interpret Slack's response pending_saves stores the result of each call, if necessary after an
outage of the store; fallback destinations direct_posts  posts that bypass the outbox while the store takes no
writes loop          which messages are due, in which order, and how many at a time
"""
