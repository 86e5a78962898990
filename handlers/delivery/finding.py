"""Whether Slack has a post already: read back after a crash, or after a call without an answer.

docs.slack.dev/reference/methods/conversations.history and conversations.replies, by the id in message metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.model.message import Message

METADATA = "gpubot_message"
BEFORE = timedelta(minutes=1)
"""Slack's clock and ours may differ by that much."""
PAGES, PAGE = 5, 200

Place = tuple[str, str]
"""A channel and a ts."""


class Unreadable(Exception):
    """The place can't be read back, so nobody knows whether the post is there."""


async def find(
    client: AsyncWebClient, message: Message, channel: str, thread: str | None, since: datetime | None
) -> Place | None:
    """Where `message` was posted; None where it was not. It can't be older than `since`, by our time.

    Raises Unreadable where Slack doesn't let us look, looked at too much, or keeps no metadata.
    """
    try:
        if channel.startswith(("U", "W")):
            opened = await client.conversations_open(users=channel)
            channel = str(opened["channel"]["id"])
        return await _read_back(client, message, channel, thread, since)
    except (SlackClientError, aiohttp.ClientError, OSError, ValueError, LookupError, AttributeError, TypeError):
        raise Unreadable from None


async def _read_back(
    client: AsyncWebClient, message: Message, channel: str, thread: str | None, since: datetime | None
) -> Place | None:
    asked: dict[str, Any] = {"channel": channel, "limit": PAGE, "include_all_metadata": True}
    if since is not None:
        asked["oldest"] = f"{(since - BEFORE).timestamp():.6f}"
    if thread is not None:
        asked["ts"] = thread
    by_bots = ours = 0
    for _ in range(PAGES):
        answer = await (client.conversations_replies if thread else client.conversations_history)(**asked)
        for one in answer["messages"]:
            metadata = one.get("metadata") or {}
            if metadata.get("event_type") == METADATA:
                ours += 1
                if _id(metadata) == message.id:
                    return channel, str(one["ts"])
            by_bots += bool(one.get("bot_id"))
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            if by_bots and not ours:
                raise Unreadable
            return None
        asked["cursor"] = cursor
    raise Unreadable


def _id(metadata: Mapping[str, Any]) -> object:
    payload = metadata.get("event_payload")
    return payload.get("id") if isinstance(payload, Mapping) else None
