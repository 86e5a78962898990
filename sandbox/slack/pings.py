"""Records who is notified of a new message. Simplified from Slack, on the side of too many:

- everyone else in a direct message;
- each person in the channel who is mentioned in the text or in any mrkdwn of the blocks, by name, by
  group, or by @here, @channel or @everyone;
- in a thread, also if the reply is shown in the channel: each person who wrote its parent or a reply, or was
  mentioned in one by name or by group.

Nobody is notified of their own message, of an edit, or of an ephemeral message. A message notifies a person once.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.slack.model import Message
from sandbox.slack.state import MAX_STATES, Workspace

Why = Literal["dm", "mention", "group", "channel", "thread"]
_MENTION = re.compile(r"<(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+)|!(here|channel|everyone))(?:\|[^<>]*)?>")


@dataclass(frozen=True)
class Ping:
    """One notification: who gets it, of which message as it was posted, and why."""

    user: str
    why: Why
    message: Message


class Pings:
    """The newest notifications, the oldest first."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._pings: deque[Ping] = deque(maxlen=MAX_STATES)

    def message_changed(self, before: Message | None, message: Message) -> None:
        """Record whom a message notifies, if it is new (`before` is None)."""
        if before is None:
            self._pings.extend(_pings(self._workspace, message))

    def found(self, *, user: str | None, after: int) -> list[Ping]:
        """Return the notifications of messages with a seq above `after`: those of `user`, or of everyone."""
        return [ping for ping in self._pings if user in (None, ping.user) and ping.message.seq > after]


def _pings(workspace: Workspace, message: Message) -> list[Ping]:
    notified: dict[str, Ping] = {}
    for user, why in _reasons(workspace, message):
        person = workspace.people.get(user)
        can_be = person is not None and not person.deleted and not person.is_bot
        if can_be and user in workspace.channels[message.channel].members and user != message.author:
            notified.setdefault(user, Ping(user, why, message))
    return list(notified.values())


def _reasons(workspace: Workspace, message: Message) -> Iterator[tuple[str, Why]]:
    """Yield each person for whom there is a reason, also people who can't be notified."""
    channel = workspace.channels[message.channel]
    if channel.kind == "im":
        for member in sorted(channel.members):
            yield member, "dm"
    yield from _mentioned(workspace, message)
    if message.is_reply and message.thread_ts is not None:
        for earlier in workspace.replies(message.channel, message.thread_ts):
            yield earlier.author, "thread"
            for user, why in _mentioned(workspace, earlier):
                if why != "channel":
                    yield user, "thread"


def _mentioned(workspace: Workspace, message: Message) -> Iterator[tuple[str, Why]]:
    for text in (message.text, *_texts(message.blocks)):
        for user, group, everyone in _MENTION.findall(text):
            if user:
                yield user, "mention"
            elif group and group in workspace.groups:
                for member in workspace.groups[group].members:
                    yield member, "group"
            elif everyone:
                for member in sorted(workspace.channels[message.channel].members):
                    yield member, "channel"


def _texts(value: Any) -> Iterator[str]:
    """Yield every mrkdwn text of the blocks."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield str(value.get("text"))
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
