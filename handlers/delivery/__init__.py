"""Brings Slack up to date with the outbox.

pace          how fast Slack may be called; the only place that limits it
content       what a message should say now
read_back     whether Slack has a post already
posting       one message: find, post, edit, refresh or answer it, and what Slack's answer means
pending_saves writes the result of each call, also after an outage of the store; the next destination of a message
direct_posts  posts outside the outbox, while the store takes no writes
loop          what is due, in which order, several at a time
"""
