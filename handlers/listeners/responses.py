"""How an answer gets to the person: through the outbox, or at once where the store takes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import StoreBusy
from bot.model.message import DestinationKind, Message, MessageKind, stored_destination
from handlers.listeners.context import Context
from handlers.listeners.interaction import Interaction, Reply
from handlers.slack_api.error_codes import NO_ANSWER, error_code
from handlers.views.blocks import Rendered

AT_ONCE_TAKES = 0.8
"""Real seconds for telling someone past the store: within Slack's 3 s for the acknowledgement, of which waiting
for the store may have taken 2."""

_log = structlog.get_logger("gpubot.handlers")


def body_of(said: Rendered, interaction: Interaction, *, replaces: bool) -> dict[str, Any]:
    """What goes to a `response_url`. Only a message that nobody else sees is ever replaced."""
    body: dict[str, Any] = {
        "text": said.text,
        "blocks": list(said.blocks),
        "response_type": "ephemeral",
        "replace_original": replaces and interaction.ephemeral,
    }
    if interaction.thread_ts and not body["replace_original"]:
        body["thread_ts"] = interaction.thread_ts
    return body


async def queue(context: Context, interaction: Interaction, reply: Reply) -> bool:
    """Queues a reply in the outbox. Says whether the store took it; never raises."""
    body = body_of(reply.said, interaction, replaces=reply.replaces)
    real_now = context.deps.clock.real()
    to = stored_destination(interaction.reply_url)
    message = Message(kind=MessageKind.REPLY, to=to, body=body, created_at=real_now, due_at=real_now)
    try:
        async with context.deps.store.write() as tx:
            await tx.messages.add(message)
    except StoreBusy:
        return False
    return True


async def send(context: Context, interaction: Interaction, reply: Reply) -> bool:
    """Sends a reply to the `response_url` now, or where there is none to the person's direct messages, and says
    whether Slack took it. Never raises."""
    if stored_destination(interaction.reply_url).kind is not DestinationKind.RESPONSE_URL:
        return await _post(context, interaction, reply)
    body = body_of(reply.said, interaction, replaces=reply.replaces)
    hook = AsyncWebhookClient(interaction.reply_url, session=context.client.session, retry_handlers=[])
    hook.proxy = None  # as the session decides, and not the SDK
    try:
        async with asyncio.timeout(AT_ONCE_TAKES):
            answer = await hook.send_dict(body)
    except NO_ANSWER as error:
        _log.warning("reply.not_taken", did=interaction.name, user=interaction.user_id, error=error_code(error))
        return False
    if answer.status_code != 200:
        _log.warning("reply.not_taken", did=interaction.name, user=interaction.user_id, status=answer.status_code)
    return answer.status_code == 200


async def _post(context: Context, interaction: Interaction, reply: Reply) -> bool:
    try:
        async with asyncio.timeout(AT_ONCE_TAKES):
            return await context.post(interaction.user_id, reply.said.text, reply.said.blocks)
    except TimeoutError:
        _log.warning("reply.not_taken", did=interaction.name, user=interaction.user_id, error="TimeoutError")
        return False


async def open_modal(context: Context, interaction: Interaction, view: dict[str, Any]) -> bool:
    """Opens a modal; the trigger lives 3 s and works once (docs.slack.dev/reference/methods/views.open).
    Says whether it opened. Never raises."""
    try:
        async with asyncio.timeout(3):
            await context.client.views_open(trigger_id=interaction.trigger_id, view=view)
    except NO_ANSWER as error:
        _log.warning("modal.not_opened", did=interaction.name, user=interaction.user_id, error=error_code(error))
        return False
    return True
