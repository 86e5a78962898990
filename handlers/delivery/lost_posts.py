"""Posts for which the store has no message: the database was put back from a copy that is older than they are.

Their text and buttons are about what the store lost. So they are edited to say that, once it is known that the
database was put back (bot/lifecycle/account/older_database.py).
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.lifecycle.deps import Deps, with_newest_rules
from bot.lifecycle.loops.running import keep_running
from bot.model.account_facts import LOST_SINCE
from bot.model.message import Destination, Message, to_channel, to_person
from bot.policy.team.roles import is_member
from handlers.delivery.pace import EDIT, Pace
from handlers.delivery.read_back import NO_MESSAGE, Finder, Post, Search, SearchAgain, Unreadable, metadata_of
from handlers.slack_api.error_codes import NO_ANSWER, error_code, is_temporary, requested_wait
from handlers.views.answers.replies import from_a_lost_time
from store.db import Tx, Written

log = structlog.get_logger("gpubot.delivery")

AGAIN = 5.0
"""Real seconds until the search goes on, or is tried again."""


class LostPosts:
    """Finds posts that the store lost, and takes their buttons off."""

    def __init__(self, deps: Deps, client: AsyncWebClient, pace: Pace, finder: Finder) -> None:
        self._deps = deps
        self._client = client
        self._pace = pace
        self._finder = finder
        self._changed = asyncio.Event()
        deps.store.on_commit(self._changed.set, Written.MESSAGES)

    async def run(self) -> None:
        """Run until cancelled. Check after each commit whether a search is due."""
        await keep_running("lost_posts", self._turn, self._deps.clock)

    async def _turn(self) -> None:
        self._changed.clear()
        await self.take_back()
        await self._changed.wait()
        await self._deps.clock.pause(AGAIN)

    async def take_back(self) -> None:
        """Search every conversation that the bot may have posted to, if the database was put back. Raise
        StoreBusy."""
        async with self._deps.store.read() as tx:
            since = await tx.account.get(LOST_SINCE)
            if since is None:
                return
            places = await self._places(tx)
        for place in places:
            for post in await self._posts(place, since):
                if not await self._is_known(post):
                    await self._edit(post)
        async with self._deps.store.write() as tx:
            await tx.account.set(LOST_SINCE, None)

    async def _places(self, tx: Tx) -> list[Destination]:
        """Return where to search: the newest conversations first, and last the people who have none in the
        store."""
        rules, known = with_newest_rules(self._deps).rules, await tx.messages.conversations()
        channels = dict.fromkeys([*known, rules.home_channel, rules.approvals_to])
        people = {person.id for person in await tx.people.known() if is_member(person)}
        written_to = {place.value for place in known.values()}
        return [*map(to_channel, channels), *map(to_person, sorted(people - written_to))]

    async def _posts(self, place: Destination, since: datetime) -> list[Post]:
        found: list[Post] = []
        search = Search()
        while True:
            try:
                async for post in self._finder.posts(search, place, None, since):
                    found.append(post)
            except SearchAgain as again:
                if again.unknown_error:
                    return found
                await self._wait(again.until)
            except Unreadable:
                return found
            else:
                return found

    async def _is_known(self, post: Post) -> bool:
        """Return whether the store has a message for this post, or is about to find out."""
        if post.message_id == NO_MESSAGE:
            return True
        async with self._deps.store.read() as tx:
            message = await tx.messages.get(post.message_id) if isinstance(post.message_id, int) else None
        return message is not None and (_is_at(message, post) or (message.sending and post.shows(message)))

    async def _edit(self, post: Post) -> None:
        rendered, (channel, ts) = from_a_lost_time(), post.place
        metadata = metadata_of(NO_MESSAGE, post.version or 0)
        while True:
            now = self._deps.clock.real()
            if (open_at := self._pace.refresh_at(now)) > now:
                await self._wait(open_at)
                continue
            self._pace.edited(now)
            try:
                await self._client.chat_update(
                    channel=channel,
                    ts=ts,
                    text=rendered.text,
                    blocks=list(rendered.blocks),
                    metadata=metadata,
                )
            except NO_ANSWER as error:
                wait = requested_wait(error)
                if wait is not None:
                    self._pace.block(EDIT, self._deps.clock.real() + wait)
                if wait is None and isinstance(error, SlackApiError) and not is_temporary(error):
                    log.info("lost_posts.not_edited", error=error_code(error))
                    return
                await self._wait(None)
            else:
                log.info("lost_posts.taken_back", channel=channel, ts=ts)
                return

    async def _wait(self, until: datetime | None) -> None:
        real = self._deps.clock.real()
        wait = (until or real + timedelta(seconds=AGAIN)) - real
        await self._deps.clock.pause(max(wait.total_seconds(), 0.0))


def _is_at(message: Message, post: Post) -> bool:
    return (message.channel, message.ts) == post.place
