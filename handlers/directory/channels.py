"""Slack conversations: whether the bot is in them and who else reads them, cached in the store.

Method: docs.slack.dev/reference/methods/conversations.info (Tier 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import StoreBusy
from bot.lifecycle.deps import Deps
from bot.model.person import Channel
from bot.model.text import one_line
from handlers.slack_api.web_api import NO_ANSWER, error_code

CACHED_FOR = timedelta(minutes=15)
"""Real time for which an answer is used, unless an event says that the conversation changed."""
LONGEST_NAME = 80
"""Slack allows no longer names (docs.slack.dev/reference/methods/conversations.rename)."""
LOOKUP_TIMEOUT = 3.0
"""Real seconds."""
_NO_MEMBER = frozenset({"channel_not_found", "missing_scope", "not_in_channel"})
"""Errors by which Slack says that the bot is no member of the conversation. They are cached like any other
answer."""

_log = structlog.get_logger("gpubot.channels")


def is_direct(channel_id: str) -> bool:
    """Return whether an id is that of a direct message: with the bot, or between two people. A person's id stands
    for their direct message with the bot, as it does for Slack when a message is posted."""
    return channel_id.startswith(("D", "U", "W"))


class SlackChannels:
    """Implements `bot.lifecycle.outside.Channels`: reads the store's cache, then asks Slack."""

    def __init__(self, deps: Deps, client: AsyncWebClient) -> None:
        self._deps = deps
        self._client = client

    async def get(self, channel_id: str) -> Channel:
        """Return a conversation. If neither the store nor Slack answers, return one of which the bot is no member.
        Never raise."""
        if is_direct(channel_id):
            return Channel(id=channel_id, member=True, direct=True)
        cached = await self._cached(channel_id)
        if cached is not None:
            return cached
        try:
            channel = await self._look_up(channel_id)
        except NO_ANSWER as error:
            _log.warning("channel.no_answer", channel=channel_id, error=error_code(error))
            return Channel(id=channel_id, member=False)
        await self._cache(channel)
        return channel

    async def forget(self, channel_id: str) -> None:
        """Forget what is cached about a conversation that changed. Raise StoreBusy."""
        async with self._deps.store.write() as tx:
            await tx.people.forget_channel(channel_id)

    async def _cached(self, channel_id: str) -> Channel | None:
        try:
            async with self._deps.store.read() as tx:
                return await tx.people.channel(channel_id, self._deps.clock.real() - CACHED_FOR)
        except StoreBusy:
            return None

    async def _cache(self, channel: Channel) -> None:
        try:
            async with self._deps.store.write() as tx:
                await tx.people.put_channel(channel, self._deps.clock.real())
        except StoreBusy:
            _log.info("channel.not_cached", channel=channel.id)

    async def _look_up(self, channel_id: str) -> Channel:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                answer = await self._client.conversations_info(channel=channel_id)
        except SlackApiError as error:
            if error_code(error) not in _NO_MEMBER:
                raise
            return Channel(id=channel_id, member=False)
        return channel_of(channel_id, answer.get("channel"))


def channel_of(channel_id: str, info: Any) -> Channel:
    """Return a conversation from the `channel` of conversations.info; an absent flag counts as false. Raise
    ValueError if `info` is no object."""
    if not isinstance(info, Mapping):
        raise ValueError("conversations.info without a channel")

    def flag(name: str) -> bool:
        return info.get(name) is True

    name = info.get("name")
    return Channel(
        id=channel_id,
        member=flag("is_member"),
        direct=flag("is_im") or flag("is_mpim"),
        shared=flag("is_ext_shared") or (flag("is_shared") and not flag("is_org_shared")),
        name=one_line(name, LONGEST_NAME) if isinstance(name, str) else None,
    )
