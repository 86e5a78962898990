"""Who is notified of a new message. Simplified from Slack, and on the loud side:

- everyone else in a direct message;
- whoever is mentioned in the text or in any mrkdwn of the blocks, by name, by group, or by @channel, @here and
  @everyone, if they are in the channel;
- in a thread, who wrote its parent or a reply or was mentioned in it.

Nobody is notified of their own message, of an edit, or of an ephemeral message. A message notifies a person once.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sandbox.slack.model import Message, Ping

if TYPE_CHECKING:
    from sandbox.slack.state import Workspace

_MENTION = re.compile(r"<(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+)|!(here|channel|everyone))(?:\|[^<>]*)?>")


def pings(workspace: "Workspace", message: Message) -> list[Ping]:
    channel = workspace.channels[message.channel]
    told: dict[str, Ping] = {}

    def tell(user: str, why: Any) -> None:
        person = workspace.people.get(user)
        able = person is not None and not person.deleted and not person.is_bot
        if able and user in channel.members and user != message.author:
            told.setdefault(user, Ping(user, message, why))

    if channel.kind == "im":
        for member in sorted(channel.members):
            tell(member, "dm")
        return list(told.values())
    for user, why in mentioned(workspace, message):
        tell(user, why)
    if message.is_reply and message.thread_ts is not None:
        for earlier in workspace.replies(message.channel, message.thread_ts):
            tell(earlier.author, "thread")
            for user, why in mentioned(workspace, earlier):
                if why == "mention":
                    tell(user, "thread")
    return list(told.values())


def mentioned(workspace: "Workspace", message: Message) -> Iterator[tuple[str, str]]:
    for text in (message.text, *_mrkdwn_texts(message.blocks)):
        for user, group, everyone in _MENTION.findall(text):
            if user:
                yield user, "mention"
            elif group and group in workspace.groups:
                yield from ((member, "group") for member in workspace.groups[group].members)
            elif everyone:
                members = workspace.channels[message.channel].members
                yield from ((member, "channel") for member in sorted(members))


def _mrkdwn_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn" and isinstance(value.get("text"), str):
            yield value["text"]
        if value.get("type") == "user":
            yield f"<@{value.get('user_id')}>"
        for entry in value.values():
            yield from _mrkdwn_texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _mrkdwn_texts(entry)
