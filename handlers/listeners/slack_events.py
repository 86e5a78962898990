"""Handles Slack's events, such as a changed person or channel, a message to the bot, or an opened Home tab.

Bolt acknowledges an event before its listener runs, but after the listener's middleware. So the middleware handles
the event: if it fails, nothing is acknowledged, and Slack sends the event again (docs.slack.dev/apis/events-api,
"Retries").
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext

from bot.errors import Refused, WrongClock
from bot.lifecycle.account.owners_left import ask_about_rentals_of
from bot.lifecycle.actions import home
from bot.lifecycle.people.deciders import check_deciders
from bot.policy.team.roles import deciding_groups
from handlers.listeners import apps, commands, interaction, messages, modals
from handlers.listeners.context import Context
from handlers.listeners.interaction import part, text
from handlers.listeners.wrapper import EventNotHandled, make_listener

Event: TypeAlias = Mapping[str, Any]
Handler: TypeAlias = Callable[[Context, Event, str | None], Awaitable[None]]
"""A function that handles an event. Its parameters are the context, the event and the bot's own user ID."""

_log = structlog.get_logger("gpubot.events")


async def person_changed(context: Context, event: Event, _: str | None) -> None:
    """Handle user_change: forget the cached information about a person.

    Slack sends this event, for example, when somebody's time zone changes. If the person has been deactivated, the
    admins are asked what to do with that person's rentals. The bot then also checks whether any approver is left.
    """
    user = part(event, "user")
    user_id = text(user, "id")
    if not user_id:
        return
    await context.people.forget(user_id)
    if user.get("deleted") is True:
        await context.people.refresh([user_id])
        await ask_about_rentals_of(context.deps, user_id)
        await check_deciders(context.deps, context.people)


async def group_changed(context: Context, event: Event, _: str | None) -> None:
    """Handle subteam_members_changed: forget all cached information that depends on the group's members.

    The event says only who joined and who left, so the members are looked up again when they are next needed. If
    members of this group may approve requests, the bot also checks whether any approver is left.
    """
    group = event.get("subteam_id")
    if isinstance(group, str):
        await context.people.forget_group(group)
        if group in deciding_groups(context.deps.rules):
            await check_deciders(context.deps, context.people)


async def joined(context: Context, event: Event, bot_user_id: str | None) -> None:
    """Handle member_joined_channel: if the bot itself joined, forget the cached information about the channel."""
    if event.get("user") == bot_user_id:
        await channel_changed(context, event, bot_user_id)


async def channel_changed(context: Context, event: Event, _: str | None) -> None:
    """Forget the cached information about a channel.

    After channel_shared, people of other organizations can read the channel. After channel_unshared, they no
    longer can. channel_left and group_left mean that the bot itself was removed from the channel. Slack doesn't
    send member_left_channel in that case (slackapi/node-slack-sdk#931).
    """
    channel = event.get("channel")
    if isinstance(channel, str):
        await context.channels.forget(channel)


async def home_opened(context: Context, event: Event, _: str | None) -> None:
    """Handle app_home_opened: schedule publishing the Home tab.

    Does nothing if Slack already shows the current version of the tab.

    Once somebody has opened their Home tab, it is published again whenever its content changes.
    """
    user = text(event, "user")
    if event.get("tab") != "home" or not user:
        return
    try:
        # The Home tab is rendered later, with what is in the database. Look up the person in Slack now, so that
        # the database contains them by then.
        await context.people.get(user)
    except Refused:
        # Slack doesn't let the bot see this user, so there is no Home tab to show. An error would only make Slack
        # send the event again.
        return
    await home.opened(context.deps, user, text(part(event, "view"), "private_metadata"))


async def mentioned(context: Context, event: Event, bot_user_id: str | None) -> None:
    """Handle app_mention: a person or an app mentions the bot in a channel."""
    await (apps.mentioned if "bot_id" in event else messages.posted)(context, event, bot_user_id)


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "user_change": person_changed,
        "subteam_members_changed": group_changed,
        "member_joined_channel": joined,
        "channel_left": channel_changed,
        "group_left": channel_changed,
        "channel_shared": channel_changed,
        "channel_unshared": channel_changed,
        "message": messages.posted,
        "app_mention": mentioned,
        "app_home_opened": home_opened,
    }
)
MESSAGES = frozenset({"message", "app_mention"})
"""The events with which Slack sends messages from people.

If this machine's clock is wrong, the bot answers such a message with an error. All other events are left
unacknowledged, so that Slack sends them again.
"""


def handled_before_ack(our_context: Context, kind: str, handler: Handler) -> Callable[..., Awaitable[None]]:
    """Return a Bolt middleware that handles an event before Bolt acknowledges it.

    If the handler fails, or if this machine's clock is wrong, the middleware raises EventNotHandled. Bolt then
    doesn't acknowledge the event, and Slack sends it again.
    """

    async def handle(
        event: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> None:
        with our_context.gate.handling():
            try:
                if kind not in MESSAGES and not our_context.deps.may_claim():
                    raise WrongClock
                await handler(our_context.with_newest_rules(), event, context.bot_user_id)
            except Exception as error:
                _log.warning("event.not_handled", kind=kind, error=type(error).__name__)
                raise EventNotHandled(kind) from None
        await next_()

    return handle


async def already_handled() -> None:
    """Do nothing. This is the listener of an event that its middleware has already handled."""


ANYTHING = re.compile("")
"""A pattern that matches every `action_id` and `callback_id`."""


def register(app: AsyncApp, context: Context) -> None:
    """Attach the listeners to an app. Call this once for each app.

    The store must call `wrapper.note_commit` after each commit.
    """
    app.command(commands.COMMAND)(make_listener(context, interaction.command, commands.gpu))
    # This listener handles all buttons, including those that only older versions of gpubot posted. If no listener
    # handled an old button, Slack would only show that something failed. This listener explains to the person what
    # happened.
    app.action({"type": "block_actions", "action_id": ANYTHING})(
        make_listener(context, interaction.click, modals.click)
    )
    app.view(ANYTHING)(make_listener(context, interaction.submission, modals.submitted))
    for kind, handler in HANDLERS.items():
        app.event(kind, middleware=[handled_before_ack(context, kind, handler)])(already_handled)
