"""Events: what is cached about people and channels is old, or someone writes to the bot.

Bolt acknowledges an event before its listener runs. These are handled before that, as the listener's middleware:
where the store doesn't take it nothing is acknowledged, and Slack sends the event again
(docs.slack.dev/apis/events-api, "Retries").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import structlog
from slack_bolt.context.async_context import AsyncBoltContext

from bot.model.message import Message, MessageKind, to_person
from handlers.listeners import hints
from handlers.listeners.context import Context
from handlers.views import replies

Event: TypeAlias = Mapping[str, Any]
Handler: TypeAlias = Callable[[Context, Event, str | None], Awaitable[None]]
"""Given the event, and the bot's own user id."""

_log = structlog.get_logger("gpubot.events")


class NotTaken(Exception):
    """An event that could not be taken in; Slack sends it again."""


async def person_changed(context: Context, event: Event, _: str | None) -> None:
    """user_change: a name, a zone, a guest flag, or someone was deactivated."""
    user = event.get("user")
    user_id = user.get("id") if isinstance(user, Mapping) else None
    if isinstance(user_id, str):
        await context.people.forget(user_id)


async def group_changed(context: Context, event: Event, _: str | None) -> None:
    """subteam_members_changed, a delta; who is in is asked for anew."""
    group = event.get("subteam_id")
    if isinstance(group, str):
        await context.people.forget_group(group)


async def joined(context: Context, event: Event, bot_user_id: str | None) -> None:
    """member_joined_channel matters where it is the bot's own."""
    channel = event.get("channel")
    if isinstance(channel, str) and event.get("user") == bot_user_id:
        await context.channels.forget(channel)


async def channel_changed(context: Context, event: Event, _: str | None) -> None:
    """channel_shared and channel_unshared: who reads it. channel_left and group_left: the bot was removed,
    of which no member_left_channel tells (slackapi/node-slack-sdk#931)."""
    channel = event.get("channel")
    if isinstance(channel, str):
        await context.channels.forget(channel)


async def written_to(context: Context, event: Event, _: str | None) -> None:
    """message.im: someone writes to the bot, which reads commands only. Edits, and its own messages, come too."""
    user = event.get("user")
    by_person = event.get("channel_type") == "im" and not {"subtype", "bot_id"} & event.keys()
    if not by_person or not isinstance(user, str):
        return
    real_now = context.deps.clock.real()
    if not await context.hints.wanted(context.people, context.deps.rules, user, real_now):
        return
    said = replies.only_commands()
    hint = Message(
        kind=MessageKind.REPLY,
        to=to_person(user),
        body={"text": said.text, "blocks": list(said.blocks)},
        created_at=real_now,
        due_at=real_now,
    )
    try:
        async with context.deps.store.write() as tx:
            if await hints.mark(tx, user, real_now):
                await tx.messages.add(hint)
    except BaseException:
        context.hints.forget(user)
        raise


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "user_change": person_changed,
        "subteam_members_changed": group_changed,
        "member_joined_channel": joined,
        "channel_left": channel_changed,
        "group_left": channel_changed,
        "channel_shared": channel_changed,
        "channel_unshared": channel_changed,
        "message": written_to,
    }
)


def kept(ours: Context, kind: str, handler: Handler) -> Callable[..., Awaitable[None]]:
    """The middleware that does it before Bolt acknowledges."""

    async def keep(event: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]) -> None:
        with ours.gate.entered():
            try:
                await handler(ours, event, context.bot_user_id)
            except Exception as error:
                _log.warning("event.not_taken", kind=kind, error=type(error).__name__)
                raise NotTaken(kind) from None
        await next_()

    return keep


async def nothing_more() -> None:
    """The listener itself: all is done by then."""
