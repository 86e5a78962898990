"""Brings Slack up to date with the outbox, the stored messages that have to be posted, edited or answered.

- `pace`: how fast Slack may be called. The only module that limits the rate.
- `content`: the current content of a message.
- `read_back`: searches Slack for posts that may already exist.
- `posting`: finds, posts, edits, refreshes or answers one message, and interprets Slack's response.
- `pending_saves`: stores the result of each call, after an outage of the store if necessary, and chooses fallback
  destinations.
- `direct_posts`: posts that bypass the outbox while the store takes no writes.
- `block_types`: which types of blocks Slack accepts.
- `loop`: which messages are due, in which order, and how many at a time.
"""
