"""Messages to the bot: a mention in a channel, or a direct message, has the words of a command.

Shapes: docs.slack.dev/reference/events/message.im and docs.slack.dev/reference/events/app_mention.
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
"""Real time for which the store knows which messages are done. Slack sends an event again within 6 minutes."""
DIRECT = "im"
"""The `channel_type` of a direct message. The event of a mention has none."""
BY_PEOPLE = frozenset({"", "thread_broadcast"})
"""The subtypes of what people write. Those of edits, joins, files and other apps are ignored."""
_TIMESTAMP = re.compile(r"[0-9]{1,11}\.[0-9]{1,6}", re.ASCII)
_QUOTED = ("&gt;", ">")


class Words(NamedTuple):
    """What a message says to the bot."""

    text: str
    first: bool
    """Whether nothing stands before the mention. A direct message needs none."""


async def posted(context: Context, event: Mapping[str, Any], bot_user_id: str | None) -> None:
    """Handle message.im and app_mention: carry out the words of a person, once, and answer as their command would.
    If other words stand before the mention, only say what to write, at most once an hour.

    Raise what `serve` raises.
    """
    direct = event.get("channel_type") == DIRECT
    user, channel, ts = text(event, "user"), text(event, "channel"), text(event, "ts")
    by_person = user and text(event, "subtype") in BY_PEOPLE and not {"bot_id", "edited"} & event.keys()
    words = words_to_bot(text(event, "text"), bot_user_id or "", direct=direct)
    if not by_person or words is None or not channel or not _TIMESTAMP.fullmatch(ts):
        return
    handler = commands.gpu
    if not words.first:
        if context.hints.wait(user, context.deps.clock.monotonic()):
            return
        handler = partial(commands.suggest, bot=bot_user_id or "")
    interaction = Interaction(
        kind=InteractionKind.MESSAGE,
        name=text(event, "type"),
        user_id=user,
        team_id="",  # as for a command; users.info says who is no member
        origin=Origin(channel=channel, thread_ts=text(event, "thread_ts")),
        text=words.text,
        written_at=datetime.fromtimestamp(float(ts), UTC),
    )
    once = partial(_note_done, message=f"{channel}:{ts}", clock=context.deps.clock)
    deps = replace(context.deps, store=context.deps.store.beginning_with(once))
    await serve(
        replace(context, deps=deps), interaction, handler, _acknowledged_later, {"text": text(event, "text")}
    )


def words_to_bot(typed: str, bot: str, *, direct: bool) -> Words | None:
    """Return what a message's text says to the bot, without quoted lines and without the mention. Return None if
    only a quotation mentions the bot, or a direct message says nothing.
    """
    own = "\n".join(line for line in typed.splitlines() if not line.lstrip().startswith(_QUOTED)).strip()
    mention = re.compile(rf"<@{re.escape(bot)}(?:\|[^<>]*)?>[\s,:]*")
    found = mention.search(own) if bot else None
    if found is None:
        return Words(own, first=True) if direct and own else None
    rest = f"{own[: found.start()]}{own[found.end() :]}".strip()
    return Words(rest, first=direct or found.start() == 0)


async def _acknowledged_later(**_: Any) -> None:
    """Do nothing: Bolt acknowledges an event after its middleware."""


async def _note_done(tx: Tx, *, message: str, clock: Clock) -> None:
    """Note that a message is done, so that what was committed for it is not done again if Slack sends the event
    again. Raise AlreadyDone if it is.
    """
    now = clock.real()
    if not await tx.account.note_answered(message, now, now - REMEMBERED):
        raise AlreadyDone
