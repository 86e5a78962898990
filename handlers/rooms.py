"""What is known of Slack conversations: whether the bot is there, and who else reads (conversations.info, Tier 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.desk import Desk
from bot.model.person import Room
from handlers.slack_errors import NO_ANSWER, error_code

KNOWN_FOR = timedelta(minutes=15)
"""Real time for which an answer holds, unless an event says that it changed."""
ASKING_TAKES = 3.0
"""Real seconds."""
_NOT_THERE = frozenset({"channel_not_found", "missing_scope", "not_in_channel"})
"""Answers that hold until an event says otherwise: the bot can't post there as a member."""

_log = structlog.get_logger("gpubot.rooms")


class SlackRooms:
    """bot.lifecycle.ports.Rooms: from the store's cache, else asked."""

    def __init__(self, desk: Desk, client: AsyncWebClient) -> None:
        self._desk = desk
        self._client = client

    async def room(self, channel: str) -> Room:
        """Never raises: where neither the store nor Slack answers, a room we are no member of."""
        if channel.startswith("D"):
            return Room(id=channel, member=True, direct=True)
        try:
            async with self._desk.store.read() as tx:
                known = await tx.people.room(channel, self._desk.clock.real() - KNOWN_FOR)
            return known or await self._ask(channel)
        except GpubotError as error:
            return self._unknown(channel, type(error).__name__)
        except NO_ANSWER as error:
            return self._unknown(channel, error_code(error))

    def _unknown(self, channel: str, error: str) -> Room:
        _log.warning("rooms.no_answer", channel=channel, error=error)
        return Room(id=channel, member=False)

    async def forget(self, channel: str) -> None:
        """Something about the channel changed: asks again next time. Raises StoreBusy."""
        async with self._desk.store.write() as tx:
            await tx.people.forget_room(channel)

    async def _ask(self, channel: str) -> Room:
        real_now = self._desk.clock.real()
        try:
            async with asyncio.timeout(ASKING_TAKES):
                answer = await self._client.conversations_info(channel=channel)
            room = _room(channel, answer.get("channel"))
        except SlackApiError as error:
            if error_code(error) not in _NOT_THERE:
                raise
            room = Room(id=channel, member=False)
        async with self._desk.store.write() as tx:
            await tx.people.put_room(room, real_now)
        return room


def _room(channel: str, told: Any) -> Room:
    """Flags that are absent count as false."""
    if not isinstance(told, Mapping):
        raise ValueError("conversations.info without a channel")

    def says(flag: str) -> bool:
        return told.get(flag) is True

    return Room(
        id=channel,
        member=says("is_member"),
        direct=says("is_im") or says("is_mpim"),
        shared=says("is_ext_shared") or (says("is_shared") and not says("is_org_shared")),
    )
