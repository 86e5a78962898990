"""Messages that were posted twice: finds the other post, and removes its buttons."""

from __future__ import annotations

from datetime import datetime

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.message import Message, to_channel
from handlers.delivery import reposts
from handlers.delivery.content import earliest_post
from handlers.delivery.pace import EDIT, Pace
from handlers.delivery.posting import post_target
from handlers.delivery.read_back import Finder, Place, SearchAgain, Unreadable
from handlers.delivery.reposts import Repost
from handlers.slack_api.error_codes import NO_ANSWER, error_code, requested_wait
from handlers.views.replies import posted_twice

log = structlog.get_logger("gpubot.delivery")

SEARCH_EVERY = 60.0
"""Real seconds."""
SEARCHES_IN_A_PASS = 5
"""They share the pace of reading with the searches that messages wait for."""


class Duplicates:
    """Searches for the other post of each message that was posted again."""

    def __init__(self, deps: Deps, client: AsyncWebClient, pace: Pace, finder: Finder) -> None:
        self._deps = deps
        self._client = client
        self._pace = pace
        self._finder = finder

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._deps.clock.pause(SEARCH_EVERY)
            try:
                await self.search(self._deps.clock.real())
            except GpubotError as error:
                log.warning("duplicates.outage", error=type(error).__name__)
            except Exception:
                log.exception("duplicates.failed")

    async def search(self, real_now: datetime) -> None:
        """Make the searches that are due at that moment, a few in a pass. Raise StoreBusy."""
        async with self._deps.store.read() as tx:
            known = await reposts.read_all(tx)
        for message_id in reposts.due(known, real_now)[:SEARCHES_IN_A_PASS]:
            await self._search_for(message_id, known[message_id])

    async def _search_for(self, message_id: int, repost: Repost) -> None:
        async with self._deps.store.read() as tx:
            message = await tx.messages.get(message_id)
            card = await tx.messages.card(message.rental_id) if message and message.rental_id else None
            since = await earliest_post(tx, message) if message is not None else None
        done = message is None or repost.search_at is None
        if message is not None and message.ts is not None and not done:
            done = await self._strip_others(message, card, since)
        after = None if done else changed(repost, looks=repost.looks + 1)
        async with self._deps.store.write() as tx:
            # Another re-post that was written meanwhile starts the searches again, so it stays.
            if await reposts.read(tx, message_id) == repost:
                await reposts.write(tx, message_id, after)

    async def _strip_others(self, message: Message, card: Message | None, since: datetime | None) -> bool:
        """Remove the buttons of the message's other posts. Return whether at least one was found, and none has
        buttons any more."""
        to, thread = post_target(message, card)
        if message.channel is not None:
            to = to_channel(message.channel)
        try:
            places = await self._finder.find_all(message, to, thread, since)
        except (SearchAgain, Unreadable) as error:
            log.info("duplicates.not_found", message=message.id, why=type(error).__name__)
            return False
        others = other_posts(message, places)
        return bool(others) and all([await self._strip(message, place) for place in others])

    async def _strip(self, message: Message, place: Place) -> bool:
        now = self._deps.clock.real()
        if self._pace.edit_at(now) > now:
            return False
        channel, ts = place
        rendered = posted_twice()
        self._pace.edited(now)
        try:
            await self._client.chat_update(
                channel=channel, ts=ts, text=rendered.text, blocks=list(rendered.blocks)
            )
        except NO_ANSWER as error:
            wait = requested_wait(error)
            if wait is not None:
                self._pace.block(EDIT, now + wait)
            log.info("duplicates.not_edited", message=message.id, error=error_code(error))
            return False
        log.info("duplicates.stripped", message=message.id)
        return True


def other_posts(message: Message, places: list[Place]) -> list[Place]:
    """Return the posts of a message that the outbox doesn't know. The one that it knows keeps its buttons: later
    edits go there."""
    return [place for place in places if place != (message.channel, message.ts)]
