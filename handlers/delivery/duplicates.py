"""Posts that stand twice: once the other one can be found, it loses its buttons."""

from __future__ import annotations

from datetime import datetime

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.message import Message, to_channel
from handlers.delivery import reposts
from handlers.delivery.content import told_since
from handlers.delivery.pace import EDIT, Pace
from handlers.delivery.posting import post_target
from handlers.delivery.read_back import Finder, LookAgain, Place, Unreadable
from handlers.delivery.reposts import Repost
from handlers.slack_api.error_codes import NO_ANSWER, asked_wait, error_code
from handlers.views.replies import posted_twice

log = structlog.get_logger("gpubot.delivery")

LOOK_EVERY = 60.0
"""Real seconds."""
AT_MOST = 5
"""Searches in one pass: they share the pace with those that messages wait for."""


class Twins:
    """Searches for the other post of what was posted again."""

    def __init__(self, deps: Deps, client: AsyncWebClient, pace: Pace, finder: Finder) -> None:
        self._deps = deps
        self._client = client
        self._pace = pace
        self._finder = finder

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._deps.clock.pause(LOOK_EVERY)
            try:
                await self.look(self._deps.clock.real())
            except GpubotError as error:
                log.warning("twins.outage", error=type(error).__name__)
            except Exception:
                log.exception("twins.failed")

    async def look(self, real_now: datetime) -> None:
        """Search for those that are due at that moment, a few at a time. Raise StoreBusy."""
        async with self._deps.store.read() as tx:
            known = await reposts.read_all(tx)
        due = [message_id for message_id, one in known.items() if one.look_at is None or one.look_at <= real_now]
        for message_id in due[:AT_MOST]:
            await self._look_for(message_id, known[message_id])

    async def _look_for(self, message_id: int, repost: Repost) -> None:
        async with self._deps.store.read() as tx:
            message = await tx.messages.get(message_id)
            card = await tx.messages.card(message.rental_id) if message and message.rental_id else None
            since = await told_since(tx, message) if message is not None else None
        left: Repost | None = None
        if message is None or repost.look_at is None:
            pass
        elif message.ts is None or not await self._settled(message, card, since):
            left = changed(repost, looks=repost.looks + 1)
        async with self._deps.store.write() as tx:
            now = await reposts.read(tx, message_id)
            if now == repost:
                await reposts.write(tx, message_id, left)

    async def _settled(self, message: Message, card: Message | None, since: datetime | None) -> bool:
        """Return whether another post of the message was found and is without buttons now."""
        to, thread = post_target(message, card)
        if message.channel is not None:
            to = to_channel(message.channel)
        own = (message.channel, message.ts)
        try:
            places = await self._finder.all_of(message, to, thread, since)
        except (LookAgain, Unreadable) as error:
            log.info("twins.not_found", message=message.id, why=type(error).__name__)
            return False
        others = [place for place in places if place != own]
        return bool(others) and all([await self._strip(message, place) for place in others])

    async def _strip(self, message: Message, place: Place) -> bool:
        now = self._deps.clock.real()
        if self._pace.edit_at(now) > now:
            return False
        channel, ts = place
        said = posted_twice()
        self._pace.edited(now)
        try:
            await self._client.chat_update(channel=channel, ts=ts, text=said.text, blocks=list(said.blocks))
        except NO_ANSWER as error:
            wait = asked_wait(error)
            if wait is not None:
                self._pace.block(EDIT, now + wait)
            log.info("twins.not_edited", message=message.id, error=error_code(error))
            return False
        log.info("twins.stripped", message=message.id)
        return True
