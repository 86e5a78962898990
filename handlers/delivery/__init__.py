"""Brings Slack up to date with the store.

pace         how fast Slack may be called; the only one of its kind
content      what a message should say now
finding      whether Slack has a post already
posting      one message: find, post, edit or answer, and what Slack's answer means
keeping      writes what became of it, also if the store takes nothing for a while
elsewhere    where a message goes if its place takes none
reposts      what was posted again although the first post may be there
twins        takes the buttons off the other post
direct_post  a post outside the outbox
direct       notices that can't wait for the outbox
loop         what is due, in which order, side by side
"""
