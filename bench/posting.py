"""Posts messages as the app, while the app isn't running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bench.worlds import World


@asynccontextmanager
async def posting(world: World) -> AsyncIterator[AsyncWebClient]:
    """Yield a Slack client with the app's token."""
    addresses = world.sandbox.addresses
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(token=addresses.bot_token, base_url=addresses.api, session=session, retry_handlers=[])


def with_button(text: str, action_id: str) -> dict[str, Any]:
    """Return the content of a message with one button."""
    button = {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": text}, "value": "1"}
    return {"text": text, "blocks": [{"type": "actions", "elements": [button]}]}
