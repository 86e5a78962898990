"""Events: cached facts about people or channels are out of date, or someone writes to the bot.

Bolt acknowledges an event before its listener runs. The listener's middleware runs before that, so it handles the
event: if the store fails, nothing is acknowledged, and Slack sends the event again
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
"""Takes the event and the bot's own user id."""

_log = structlog.get_logger("gpubot.events")


class EventNotHandled(Exception):
    """An event could not be handled; Slack sends it again."""


async def person_changed(context: Context, event: Event, _: str | None) -> None:
    """user_change: a name, a zone, a guest flag, or someone was deactivated."""
    user = event.get("user")
    user_id = user.get("id") if isinstance(user, Mapping) else None
    if isinstance(user_id, str):
        await context.people.forget(user_id)


async def group_changed(context: Context, event: Event, _: str | None) -> None:
    """subteam_members_changed holds only the difference, so the members are looked up again."""
    group = event.get("subteam_id")
    if isinstance(group, str):
        await context.people.forget_group(group)


async def joined(context: Context, event: Event, bot_user_id: str | None) -> None:
    """member_joined_channel, if the bot itself joined."""
    channel = event.get("channel")
    if isinstance(channel, str) and event.get("user") == bot_user_id:
        await context.channels.forget(channel)


async def channel_changed(context: Context, event: Event, _: str | None) -> None:
    """channel_shared and channel_unshared: other people can read it. channel_left and group_left: the bot was
    removed; Slack sends no member_left_channel for that (slackapi/node-slack-sdk#931)."""
    channel = event.get("channel")
    if isinstance(channel, str):
        await context.channels.forget(channel)


async def message_posted(context: Context, event: Event, _: str | None) -> None:
    """message.im: tell someone who writes to the bot that it reads only commands. Slack sends this event also for
    edits and for the bot's own messages."""
    user = event.get("user")
    by_person = event.get("channel_type") == "im" and not {"subtype", "bot_id"} & event.keys()
    if not by_person or not isinstance(user, str):
        return
    real_now = context.deps.clock.real()
    if not await context.hints.wanted(context.people, context.deps.rules, user, real_now):
        return
    content = replies.only_commands()
    hint = Message(
        kind=MessageKind.REPLY,
        to=to_person(user),
        body={"text": content.text, "blocks": list(content.blocks)},
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
        "message": message_posted,
    }
)


def handle_before_ack(our_context: Context, kind: str, handler: Handler) -> Callable[..., Awaitable[None]]:
    """Return a Bolt middleware that handles an event before Bolt acknowledges it. It raises EventNotHandled if the
    handler fails."""

    async def handle(
        event: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> None:
        with our_context.gate.handling():
            try:
                await handler(our_context, event, context.bot_user_id)
            except Exception as error:
                _log.warning("event.not_handled", kind=kind, error=type(error).__name__)
                raise EventNotHandled(kind) from None
        await next_()

    return handle


async def already_handled() -> None:
    """The listener itself: the middleware has handled the event."""
