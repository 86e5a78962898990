"""Sends replies and opens modals.

Replies normally go through the outbox. If the store is too busy to queue a reply, it is sent directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import aiohttp
import structlog
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import StoreBusy
from bot.model.message import DestinationKind, MessageKind, queued
from handlers.delivery.direct_posts import PostOutcome
from handlers.delivery.posting import respond
from handlers.listeners.context import Context
from handlers.listeners.interaction import Interaction, Reply, part
from handlers.phrases.blocks import Json
from handlers.phrases.classic import Surface
from handlers.slack_api.web_api import NO_ANSWER, error_code

SEND_TIMEOUT = 0.8
"""Wall-clock seconds allowed for sending a reply.

Slack waits 3 s for the acknowledgement. Up to 2 s of this time may have passed before the reply is sent, because
the listener waits for the store first.
"""

_log = structlog.get_logger("gpubot.handlers")


def reply_body(reply: Reply, interaction: Interaction) -> dict[str, Any]:
    """Return the body to post to a `response_url`.

    A message that other people can see is replaced only if the reply says so (`replaces_for_all`).
    """
    body: dict[str, Any] = {
        "text": reply.content.text,
        "blocks": list(reply.content.blocks),
        "response_type": "ephemeral",
        "replace_original": reply.replaces_for_all or (reply.replaces_original and interaction.origin.ephemeral),
    }
    if interaction.origin.thread_ts and not body["replace_original"]:
        body["thread_ts"] = interaction.origin.thread_ts
    return body


async def queue(context: Context, interaction: Interaction, reply: Reply) -> bool:
    """Write a reply to the outbox. Returns False if the store is busy."""
    to, body = reply.to or interaction.reply_to, reply_body(reply, interaction)
    message = queued(MessageKind.REPLY, to, context.deps.clock.real(), body=body)
    try:
        async with context.deps.store.write(durable=False) as tx:
            await tx.messages.add(message)
    except StoreBusy:
        return False
    return True


async def send(context: Context, interaction: Interaction, reply: Reply) -> bool:
    """Send a reply immediately, without the outbox, and return whether Slack accepted it.

    The reply goes to the `response_url` or to the person's direct messages.
    """
    to = reply.to or interaction.reply_to
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            if to.kind is not DestinationKind.RESPONSE_URL:
                return await context.direct.send(interaction.user_id, reply.content) is PostOutcome.TAKEN
            session = cast(aiohttp.ClientSession, context.client.session)
            await respond(session, to.value, reply_body(reply, interaction), context.block_types)
    except NO_ANSWER as error:
        _log.warning("reply.not_sent", name=interaction.name, user=interaction.user_id, error=error_code(error))
        return False
    return True


async def open_modal(context: Context, interaction: Interaction, view: dict[str, Any]) -> Mapping[str, Any] | None:
    """Open a modal, and return its view as Slack reports it.

    Slack opens a modal only for a trigger: an ID in the interaction's payload that works once, for 3 s
    (docs.slack.dev/reference/methods/views.open). Returns None if Slack didn't open the modal, for example because
    the trigger had expired.

    If Slack refuses the types of blocks in the view, the call is repeated at once with older types of blocks,
    which every workspace accepts. Slack doesn't document whether the trigger still works for the second call. If
    it doesn't, this modal isn't opened, but the next one uses the older types from the start.
    """

    async def call(blocks: list[Json]) -> AsyncSlackResponse:
        return await context.client.views_open(trigger_id=interaction.trigger_id, view={**view, "blocks": blocks})

    try:
        async with asyncio.timeout(3):
            answer = await context.block_types.deliver(view["blocks"], call, Surface.MODAL)
    except NO_ANSWER as error:
        _log.warning("modal.not_opened", name=interaction.name, user=interaction.user_id, error=error_code(error))
        return None
    return part(answer.data if isinstance(answer.data, dict) else {}, "view")
