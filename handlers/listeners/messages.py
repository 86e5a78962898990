"""Handles messages to the bot, that is, mentions of the bot and direct messages.

People can type the same commands in such a message as in a `/gpu` command. Messages of bots are ignored here;
`apps.py` handles those of the apps that the policy names.

Payloads: docs.slack.dev/reference/events/message.im and docs.slack.dev/reference/events/app_mention.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from bot.clock import Clock
from handlers.listeners import commands
from handlers.listeners.context import Context
from handlers.listeners.interaction import Interaction, InteractionKind, Origin, text
from handlers.listeners.wrapper import AlreadyDone, serve
from store.db import Tx

REMEMBERED = timedelta(hours=1)
"""Wall-clock time for which the store remembers that a message was handled.

This is long enough, because Slack sends an unacknowledged event for the last time after about 6 minutes.
"""
DIRECT = "im"
"""The `channel_type` in the event of a direct message. The event of a mention has no such field."""
BY_PEOPLE = frozenset({"", "thread_broadcast"})
"""The subtypes of messages that people write. Edits, joins, files and messages from other apps are ignored."""
TIMESTAMP = re.compile(r"[0-9]{1,11}\.[0-9]{1,6}", re.ASCII)
_QUOTED = ("&gt;", ">")


class Addressed(NamedTuple):
    """The part of a message that is addressed to the bot."""

    text: str
    first: bool
    """True if the mention comes first, with no other text before it. Always true for a direct message."""


async def posted(context: Context, event: Mapping[str, Any], bot_user_id: str | None) -> None:
    """Handle message.im and app_mention: carry out the command in a person's message, and answer it.

    Slack may send the same event several times, but the command is carried out only once. If other text comes
    before the mention, the bot only replies with what to write instead, at most once an hour for each person.

    Raises the same errors as `serve`.
    """
    direct = event.get("channel_type") == DIRECT
    user, channel, ts = text(event, "user"), text(event, "channel"), text(event, "ts")
    by_person = user and text(event, "subtype") in BY_PEOPLE and not {"bot_id", "edited"} & event.keys()
    addressed = text_to_bot(text(event, "text"), bot_user_id or "", direct=direct)
    if not by_person or addressed is None or not channel or not TIMESTAMP.fullmatch(ts):
        return
    handler = commands.gpu
    if not addressed.first:
        if context.hints.wait(user, context.deps.clock.monotonic()):
            return
        handler = partial(commands.suggest, bot=bot_user_id or "")
    interaction = Interaction(
        kind=InteractionKind.MESSAGE,
        name=text(event, "type"),
        user_id=user,
        # Leave out the team in Slack's payload, because it may differ from the person's team. The bot calls
        # Slack's users.info to find out whether the person belongs to its workspace.
        team_id="",
        origin=Origin(channel=channel, thread_ts=text(event, "thread_ts")),
        text=addressed.text,
        written_at=datetime.fromtimestamp(float(ts), UTC),
    )
    once = partial(note_done, message=f"{channel}:{ts}", clock=context.deps.clock)
    deps = replace(context.deps, store=context.deps.store.beginning_with(once))
    await serve(
        replace(context, deps=deps), interaction, handler, _acknowledged_later, {"text": text(event, "text")}
    )


def text_to_bot(typed: str, bot: str, *, direct: bool) -> Addressed | None:
    """Return the part of a message that is addressed to the bot, without quoted lines and without the mention.

    None if the bot is mentioned only in a quotation, or if a direct message is empty.
    """
    own = "\n".join(line for line in typed.splitlines() if not line.lstrip().startswith(_QUOTED)).strip()
    mention = re.compile(rf"<@{re.escape(bot)}(?:\|[^<>]*)?>[\s,:]*")
    found = mention.search(own) if bot else None
    if found is None:
        return Addressed(own, first=True) if direct and own else None
    rest = f"{own[: found.start()]}{own[found.end() :]}".strip()
    return Addressed(rest, first=direct or found.start() == 0)


async def _acknowledged_later(**_: Any) -> None:
    """Do nothing, because Bolt itself acknowledges an event after our middleware has handled it."""


async def note_done(tx: Tx, *, message: str, clock: Clock) -> None:
    """Record that a message has been handled. Raises AlreadyDone if it was handled before.

    The record is written in the same transaction as the command's changes. So if Slack sends the event again, the
    command isn't carried out twice.
    """
    now = clock.real()
    if not await tx.account.note_answered(message, now, now - REMEMBERED):
        raise AlreadyDone
