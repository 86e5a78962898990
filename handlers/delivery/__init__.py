"""Brings Slack up to date with the outbox.

The outbox contains the stored messages that have to be posted, edited or answered in Slack. These are the modules:

- `loop`: decides which messages are sent now, in which order, and how many at a time.
- `content`: renders the current content of a message.
- `posting`: sends one message, and interprets Slack's response.
- `read_back`: searches Slack for posts that may already exist.
- `pending_saves`: stores the result of each call, and chooses another destination if Slack refuses the first.
- `direct_posts`: posts messages while the outbox can't be used.
- `pace`: knows Slack's rate limits, and when the next call is allowed.
- `block_types`: knows which types of blocks Slack accepts.
"""
