"""What is known of Slack conversations: whether the bot is there, and who else reads them.

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
from handlers.slack_api.error_codes import NO_ANSWER, error_code

KNOWN_FOR = timedelta(minutes=15)
"""Real time for which an answer holds, unless an event says that it changed."""
ASKING_TAKES = 3.0
"""Real seconds."""
_NOT_THERE = frozenset({"channel_not_found", "missing_scope", "not_in_channel"})
"""Answers that hold until an event says otherwise: the bot can't post there as a member."""

_log = structlog.get_logger("gpubot.rooms")


class SlackChannels:
    """bot.lifecycle.ports.outside.Channels: from the store's cache, else asked."""

    def __init__(self, deps: Deps, client: AsyncWebClient) -> None:
        self._deps = deps
        self._client = client

    async def get(self, channel: str) -> Channel:
        """Never raises: where neither the store nor Slack answers, a room we are no member of."""
        if channel.startswith("D"):
            return Channel(id=channel, member=True, direct=True)
        known = await self._known(channel)
        if known is not None:
            return known
        try:
            room = await self._ask(channel)
        except NO_ANSWER as error:
            _log.warning("rooms.no_answer", channel=channel, error=error_code(error))
            return Channel(id=channel, member=False)
        await self._remember(room)
        return room

    async def forget(self, channel: str) -> None:
        """Something about the channel changed: asks again next time. Raises StoreBusy."""
        async with self._deps.store.write() as tx:
            await tx.people.forget_channel(channel)

    async def _known(self, channel: str) -> Channel | None:
        try:
            async with self._deps.store.read() as tx:
                return await tx.people.channel(channel, self._deps.clock.real() - KNOWN_FOR)
        except StoreBusy:
            return None

    async def _remember(self, room: Channel) -> None:
        try:
            async with self._deps.store.write() as tx:
                await tx.people.put_channel(room, self._deps.clock.real())
        except StoreBusy:
            _log.info("rooms.not_kept", channel=room.id)

    async def _ask(self, channel: str) -> Channel:
        try:
            async with asyncio.timeout(ASKING_TAKES):
                answer = await self._client.conversations_info(channel=channel)
        except SlackApiError as error:
            if error_code(error) not in _NOT_THERE:
                raise
            return Channel(id=channel, member=False)
        return channel_of(channel, answer.get("channel"))


def channel_of(channel: str, told: Any) -> Channel:
    """What conversations.info tells of a channel; flags that are absent count as false. Raises ValueError where it
    tells of none."""
    if not isinstance(told, Mapping):
        raise ValueError("conversations.info without a channel")

    def says(flag: str) -> bool:
        return told.get(flag) is True

    return Channel(
        id=channel,
        member=says("is_member"),
        direct=says("is_im") or says("is_mpim"),
        shared=says("is_ext_shared") or (says("is_shared") and not says("is_org_shared")),
    )
