"""Records the people who are notified of new messages.

The rules are a simplified version of Slack's. If in doubt, they notify too many people. A new message notifies:

- everyone else in a direct message;
- each member of the channel who is mentioned in the text or in any mrkdwn of the blocks, either by name, through a
  group, or with @here, @channel or @everyone;
- in a thread, each member who wrote the parent or a reply, or was mentioned in one of these messages by name or
  through a group. A reply that is also shown in the channel counts as a reply in the thread.

Nobody is notified of their own messages, of edits, or of ephemeral messages. Each message notifies a person only
once.
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
    """A person's notification about a message. The `message` is stored as it was posted, without later edits."""

    user: str
    why: Why
    message: Message


class Pings:
    """The most recent notifications, oldest first."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._pings: deque[Ping] = deque(maxlen=MAX_STATES)

    def message_changed(self, before: Message | None, message: Message) -> None:
        """Record the notifications of a message if it is new, that is, if `before` is None."""
        if before is None:
            self._pings.extend(_pings(self._workspace, message))

    def found(self, *, user: str | None, after: int) -> list[Ping]:
        """Return the notifications about messages that were posted after the change with the number `after`.

        With `user`, only this person's notifications are returned.
        """
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
    """Yield each person who should be notified, with the reason. Some of them may be bots or deactivated."""
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
