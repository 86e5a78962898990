"""The loop that sends due messages in order, several at a time as far as Slack's rate limits allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient
from typing_extensions import override

from bot.errors import ClaimLost, GpubotError
from bot.lifecycle.deps import Deps, check_job, with_newest_rules
from bot.lifecycle.loops.running import PAUSE_AFTER_OUTAGE, Part, keep_running
from bot.model.base import changed
from bot.model.message import Message, NextCall
from bot.model.records import Unsendable
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.content import content, earliest_post
from handlers.delivery.direct_posts import DirectPosts
from handlers.delivery.pace import ANSWER, EDIT, POST, PUBLISH, READ, Pace
from handlers.delivery.pending_saves import FIRST_RETRY, PendingSaves, Result, closed
from handlers.delivery.posting import SHORTEST_RETRY, Poster
from handlers.phrases.blocks import Rendered
from store.db import Tx, Written

log = structlog.get_logger("gpubot.delivery")

BATCH = 20
"""The maximum number of messages that one query returns."""
GATHER = 0.05
"""The pause between two turns of the loop, in wall-clock seconds.

Messages that are queued during the pause are read from the store with a single query.
"""
IN_FLIGHT = 16
"""The maximum number of messages that are being sent at the same time."""
REFRESHES_IN_FLIGHT = 4
"""The maximum number of refreshes among the messages that are being sent.

A refresh is an edit that only updates how much time has passed. Other edits show a change. While Slack is slow,
they must not wait for refreshes.
"""
AT_A_TIME = {NextCall.FIND: 4, NextCall.PUBLISH: 2}
"""The maximum number of simultaneous FIND calls, and of simultaneous PUBLISH calls.

Without this limit, these slow calls could delay all other calls. FIND searches for a post that may already exist,
which takes especially long while Slack is slow. PUBLISH sends a Home tab, and has to read a lot of data first.
"""
METHODS = {
    NextCall.ANSWER: ANSWER,
    NextCall.FIND: READ,
    NextCall.POST: POST,
    NextCall.EDIT: EDIT,
    NextCall.PUBLISH: PUBLISH,
}
RETRY_AFTER_BUG = timedelta(minutes=1)
OTHERS_WAIT = timedelta(minutes=1)
"""The wall-clock time for which later posts wait if a post to the same channel or person has failed."""


@dataclass
class _Unresolved:
    """A post that may or may not exist in Slack, or that fails because of a bug.

    Later posts to the same channel or person wait for this post for a while, so that messages arrive in order. All
    times are wall-clock.
    """

    since: datetime
    failed_at: datetime
    """The time at which the last call for this post failed."""
    answered_at: datetime | None = None
    """The time at which Slack first responded to another call after `since`. None if it hasn't responded yet."""

    def lets_others_pass(self, now: datetime) -> bool:
        """Return whether later posts to the same channel or person no longer wait for this post.

        A response of Slack to any other call shows that Slack isn't down. Later posts wait until one minute after
        this response.

        Without such a response, Slack may be down. Once this post has failed for one minute, later posts are sent
        too, but only right after this post has failed again.
        """
        if self.answered_at is not None and now - self.answered_at >= OTHERS_WAIT:
            return True
        return self.failed_at - self.since >= OTHERS_WAIT and now - self.failed_at < SHORTEST_RETRY


@dataclass(frozen=True)
class NextTurn:
    """The times at which the loop looks for work again. A commit to the store can wake the loop earlier."""

    real: datetime | None = None
    """The next wall-clock time at which a message is due, or at which the rate limits allow more calls."""
    refresh: datetime | None = None
    """The time of the next refresh, by the bot's clock. It updates the elapsed time in a message."""


class Delivery(Part):
    """The loop that sends the stored messages to Slack, as posts, edits or answers to clicks and commands."""

    name = "delivery"
    counted_as = "sends_in_flight"

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
        *,
        pace: Pace | None = None,
        block_types: BlockTypes | None = None,
        save_retry: timedelta = FIRST_RETRY,
        may_send: Callable[[], bool] = lambda: True,
        look_again: float | None = None,
    ) -> None:
        """Create the loop.

        Args:
            deps: The dependencies, with the store and the clock.
            client: The client for Slack's Web API.
            session: The HTTP session for `response_url`s and uploads.
            pace: The rate limits. Other parts of the process share this object.
            block_types: The types of blocks that Slack accepts. Other parts of the process share this object.
            save_retry: The wall-clock time after which a failed write is tried again.
            may_send: Returns whether this process is certainly the only one that delivers messages.
            look_again: The maximum number of wall-clock seconds between two reads of the store. Only needed if
                other processes write to the store too, because their commits don't wake this loop.
        """
        self._deps = deps
        self._pace = pace or Pace()
        self._may_send = may_send
        self._look_again = look_again
        self._wake = asyncio.Event()
        self.refused = asyncio.Event()
        """An asyncio event that is set if Slack refuses our token."""
        self._unsaved = PendingSaves(deps, first_retry=save_retry)
        self.block_types = block_types or BlockTypes()
        self.direct = DirectPosts(client, self._pace, deps, self.block_types)
        self.poster = Poster(
            deps, client, self._pace, session, block_types=self.block_types, on_refused=self.refused.set
        )
        self._sending: dict[int, tuple[Message, asyncio.Task[None]]] = {}
        self._unresolved: dict[int, _Unresolved] = {}
        """By message ID, the posts that may or may not exist in Slack."""
        self._saving_rest: asyncio.Task[None] | None = None
        self._has_begun = True
        """True once an update of every message that the bot keeps up to date has been scheduled.

        The updates are scheduled when the process begins to deliver, and again whenever the database is opened.
        """
        self._homes_changed = False
        """True if all Home tabs have to be updated, because a commit changed something that they show."""
        self._homes_due_at = deps.clock.real()
        """The earliest wall-clock time at which the Home tabs can be updated again."""
        deps.store.on_commit(self._wake.set, Written.MESSAGES)
        for written in (Written.CHANGES, Written.QUOTES, Written.KEYS, Written.TOKENS, Written.POLICIES):
            deps.store.on_commit(self._note_home_change, written)

    @property
    @override
    def in_flight(self) -> int:
        """Return the number of messages that are being sent, or whose results haven't been saved yet."""
        return len(self._sending.keys() | self._unsaved.ids)

    def token_renewed(self) -> None:
        """Send all waiting messages now, because Slack accepts our token again."""
        self.refused.clear()
        self._pace.unblock_all()
        self._wake.set()

    def begin_later(self) -> None:
        """Request an update of every message that the bot keeps up to date in Slack.

        The next turn of the loop schedules these updates.
        """
        self._has_begun = False
        self._unresolved.clear()
        self._wake.set()

    def reopened(self) -> None:
        """Start over after the database was lost and then reopened.

        The database may now be an older backup. So all results that haven't been saved are dropped. If the result
        of a post is dropped, the bot searches Slack for the post. All other calls are simply repeated.
        """
        self._unsaved.drop()
        self.begin_later()

    async def begin(self) -> None:
        """Schedule an update of every message that the bot keeps up to date in Slack.

        Slack may show an outdated version of such a message, because the database may have been restored from a
        backup.

        Call this before anything else changes the store. If the store takes no writes, the next turn of the loop
        tries again.
        """
        self._has_begun = False
        try:
            async with self._deps.store.write() as tx:
                await tx.messages.show_all_again()
        except GpubotError as error:
            log.warning("delivery.outage", error=type(error).__name__)
        else:
            self._has_begun = True

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        """Return the time of the next refresh, by the bot's clock.

        A refresh is an edit that only updates the elapsed time in a message. None if no refresh is scheduled. Also
        None if a refresh is due but has to wait for the rate limits. This wait takes at most about a minute.
        """
        at = await tx.messages.next_refresh()
        due = at is not None and at <= self._deps.clock.now()
        return None if due and not self.may_refresh(self._deps.clock.real()) else at

    @override
    async def run(self) -> None:
        """Run until cancelled.

        A cancellation doesn't interrupt messages that are being sent. `drain` waits until they are finished.
        """
        try:
            await keep_running("delivery", self._send_what_is_due, self._deps.clock)
        finally:
            self.begin_later()
            if self.in_flight:
                self._saving_rest = asyncio.create_task(self._save_rest())

    async def _save_rest(self) -> None:
        """Save the results of messages that are still being sent, unless another process has begun to deliver."""
        while self.in_flight:
            await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)
            await self._unsaved.retry()

    async def _send_what_is_due(self) -> None:
        self._wake.clear()
        await self._sleep(await self.turn())
        await self._deps.clock.pause(GATHER)

    async def drain(self) -> None:
        """Wait until nothing is being sent, and try once more to save the results."""
        while self._sending:
            await asyncio.wait({task for _, task in self._sending.values()})
        await self._unsaved.retry(at_once=True)

    async def turn(self) -> NextTurn:
        """Start sending everything that can be sent now. Return the times at which to look for work again.

        Raises:
            StoreBusy: The store is unavailable.
        """
        await self._unsaved.retry()
        if not self._has_begun:
            await self.begin()
        now, bot_now = self._deps.clock.real(), self._deps.clock.now()
        await self._end_back_off(now)
        await self._schedule_homes(now)
        async with self._deps.store.read() as tx:
            await self._start_due(tx, now)
            next_refresh = await self._start_refreshes(tx, now, bot_now)
            next_due = await tx.messages.next_due(now)
        moments = [next_due, *self._opens_at(now)]
        if next_refresh is not None and next_refresh <= bot_now:
            # A refresh of a card is due, so the loop would wake up at once, again and again, without being able to
            # send it. If Slack's rate limits delay the refresh, sleep until they allow it. If the refresh is
            # already being sent, the end of that call wakes the loop.
            moments.append(self._pace.refresh_at(now))
            next_refresh = None
        real = min((moment for moment in moments if moment is not None and moment > now), default=None)
        return NextTurn(real, next_refresh)

    async def _end_back_off(self, now: datetime) -> None:
        """After an outage of Slack, schedule all waiting retries now.

        If Slack explicitly requested a wait for a message, the message isn't sent before that wait is over.
        """
        if not self._pace.outage_over or self._unsaved.open_at(now) > now:
            return
        async with self._deps.store.write(durable=False) as tx:
            await tx.messages.end_back_off()
        self._pace.outage_over = False

    def _note_home_change(self) -> None:
        self._homes_changed = True
        self._wake.set()

    async def _schedule_homes(self, now: datetime) -> None:
        """Schedule an update of all Home tabs if something that they show has changed.

        The Home tabs are updated at most once in ten seconds. A crash before the update is scheduled does no harm,
        because each start of the bot schedules an update too.
        """
        if not self._homes_changed or now < self._homes_due_at or self._unsaved.open_at(now) > now:
            return
        self._homes_changed, self._homes_due_at = False, now + self._pace.publish_every
        try:
            async with self._deps.store.read() as tx:
                any_home = await tx.messages.any_home()
            if any_home:
                async with self._deps.store.write(durable=False) as tx:
                    await tx.messages.show_homes()
        except BaseException:
            self._homes_changed = True
            raise

    async def _start_due(self, tx: Tx, now: datetime) -> None:
        while len(self._sending) < IN_FLIGHT:
            unsendable = self._unsendable(now)
            due = await tx.messages.due(now, BATCH, unsendable)
            for message in due:
                if len(self._sending) < IN_FLIGHT and not unsendable.excludes(message):
                    self._start(message)
                    unsendable = self._unsendable(now)
            if len(due) < BATCH:
                return

    async def _start_refreshes(self, tx: Tx, now: datetime, bot_now: datetime) -> datetime | None:
        """Start the refreshes that are due, and return the time at which the first refresh is due.

        A refresh is an edit that only updates the elapsed time in a message. Refreshes wait while a rate limit is
        reached or too many messages are being sent.

        The returned time is by the bot's clock, and can be in the past. None if no message needs a refresh.
        """
        first = await tx.messages.next_refresh()
        if first is None or first > bot_now or not self.may_refresh(now):
            return first
        being_sent = self._sending.keys() | self._unsaved.ids
        for message in await tx.messages.to_refresh(bot_now, REFRESHES_IN_FLIGHT, being_sent):
            if len(self._sending) < IN_FLIGHT and self.may_refresh(now):
                self._start(message)
        return first

    def may_refresh(self, now: datetime) -> bool:
        """Return whether a refresh can start now. `now` is a wall-clock time.

        No refresh can start while the store is unavailable, because the result couldn't be saved.
        """
        sending = [message for message, _ in self._sending.values()]
        if (
            sum(message.refreshes for message in sending) >= REFRESHES_IN_FLIGHT
            or self._unsaved.open_at(now) > now
        ):
            return False
        edits = sum(message.next_call is NextCall.EDIT for message in sending)
        return self._pace.refresh_at(now, edits) <= now

    def _passed(self, now: datetime) -> frozenset[int]:
        """Return the IDs of the failed posts for which later posts no longer wait."""
        answered_at = self._pace.answered_at
        for one in self._unresolved.values():
            if one.answered_at is None and answered_at is not None and answered_at > one.since:
                one.answered_at = answered_at
        return frozenset(key for key, one in self._unresolved.items() if one.lets_others_pass(now))

    def _unsendable(self, now: datetime) -> Unsendable:
        """Return a filter that excludes the messages that can't be sent now.

        A message is excluded in any of these cases:

        - The message is already being sent, or its last result hasn't been saved yet.
        - Another post to the same channel is being sent.
        - Slack's rate limits don't allow the call yet.
        - The message has to be posted, and the store can't record that the post has begun.
        """
        pace, sending = self._pace, [message for message, _ in self._sending.values()]
        made = Counter(message.next_call for message in sending)
        posting_to = {message.to.value for message in sending if message.next_call is NextCall.POST}
        closed = {
            call
            for call, method in METHODS.items()
            if made[call] >= AT_A_TIME.get(call, IN_FLIGHT)
            # Pass 0 for running searches. A search reads several pages, and `pace` has already counted each of
            # these calls. Adding the searches would count them twice.
            or pace.open_at(method, now, 0 if call is NextCall.FIND else made[call]) > now
        }
        if self._unsaved.open_at(now) > now:
            closed |= {NextCall.FIND, NextCall.POST}
        return Unsendable(
            ids=frozenset(self._sending) | self._unsaved.ids,
            calls=frozenset(closed),
            edits_again=pace.refresh_at(now, made[NextCall.EDIT]) > now,
            channels=frozenset(pace.closed(POST, now)) | posting_to,
            passed=self._passed(now),
            homes=frozenset(pace.closed(PUBLISH, now)),
        )

    def _opens_at(self, now: datetime) -> list[datetime | None]:
        """Return the times at which more messages can be sent. Some of these times can be in the past.

        More messages can also be sent when a running call is finished. This time isn't included, because the loop
        wakes up then anyway.
        """
        pace, unsaved = self._pace, self._unsaved
        methods = [pace.refresh_at(now), *(pace.open_at(method, now) for method in METHODS.values())]
        closed = [*pace.closed(POST, now).values(), *pace.closed(PUBLISH, now).values()]
        homes = [self._homes_due_at] if self._homes_changed else []
        delayed = [
            one.answered_at + OTHERS_WAIT for one in self._unresolved.values() if one.answered_at is not None
        ]
        return [*closed, *methods, *homes, *delayed, unsaved.open_at(now), unsaved.next_at()]

    def _start(self, message: Message) -> None:
        task = asyncio.create_task(self._deliver(message))
        self._sending[message.id] = message, task

        def done(_: asyncio.Task[None]) -> None:
            self._sending.pop(message.id, None)
            self._wake.set()

        task.add_done_callback(done)

    async def _deliver(self, message: Message) -> None:
        opened = self._deps.opened.real
        try:
            result = await self._send(message)
        except ClaimLost:
            log.warning("delivery.claim_lost", message=message.id)
            await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)
            return
        except GpubotError as error:
            # The database failed. `_send` uses the database only before it calls Slack, so nothing has been sent
            # yet.
            log.warning("delivery.outage", message=message.id, error=type(error).__name__)
            self._unsaved.note_outage()
            await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)
            return
        except Exception:
            # A bug may prevent rendering this message. Postpone the message, so that it doesn't hold up the
            # others. Don't retry a refresh, which only updates the elapsed time on a card. The card already shows
            # the current state, so it must not count as undelivered.
            log.exception("delivery.failed", message=message.id, kind=message.kind)
            now = self._deps.clock.real()
            postponed = {"refresh_at": None} if message.refreshes else {"due_at": now + RETRY_AFTER_BUG}
            result = Result(changed(message, **postponed))
            self._note_unresolved(message.id, answered_at=now)
        else:
            if result.message.sending:
                self._note_unresolved(message.id)
            else:
                self._unresolved.pop(message.id, None)
        if self._deps.opened.real == opened:  # otherwise the database was lost in the meantime, see `reopened`
            await self._unsaved.save(result)

    def _note_unresolved(self, message_id: int, *, answered_at: datetime | None = None) -> None:
        now = self._deps.clock.real()
        one = self._unresolved.setdefault(message_id, _Unresolved(now, now, answered_at))
        one.failed_at = now

    def _check_claim(self) -> None:
        """Raise ClaimLost if another process may be delivering messages too.

        Call this right before each call to Slack.
        """
        if not self._may_send():
            raise ClaimLost

    async def _send(self, message: Message) -> Result:
        if message.next_call is NextCall.FIND:
            return await self._find(message)
        shown = await content(with_newest_rules(self._deps), message)
        if shown is None:
            return Result(changed(closed(message), shown_version=message.target_version))
        if message.next_call is NextCall.POST and isinstance(shown, Rendered):
            return await self._post(message, shown)
        self._check_claim()
        return await self.poster.send(message, shown)

    async def _find(self, message: Message) -> Result:
        if message.ts is not None:
            shown = await content(with_newest_rules(self._deps), message)
            return await self.poster.compare(message, shown if isinstance(shown, Rendered) else None)
        async with self._deps.store.read() as tx:
            card = await tx.messages.card(message.rental_id) if message.rental_id else None
            since = await earliest_post(tx, message)
        return await self.poster.find(message, card, since)

    async def _post(self, message: Message, rendered: Rendered) -> Result:
        """Mark the stored message as being posted, then post it.

        If the process crashes after the mark is stored, the post may or may not exist. The next process therefore
        searches the conversation for the post before it posts again.
        """
        sending = changed(message, sending=True)
        async with self._deps.store.write() as tx:
            await check_job(tx, self._deps)
            card = await tx.messages.card(message.rental_id) if message.rental_id else None
            await tx.messages.save(sending)
        self._unsaved.note_write()
        self._check_claim()
        return await self.poster.post(sending, rendered, card)

    async def _sleep(self, until: NextTurn) -> None:
        waits = [] if self._look_again is None else [self._look_again]
        if until.real is not None:
            waits.append(max((until.real - self._deps.clock.real()).total_seconds(), 0.0))
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._deps.clock.sleep_until(until.refresh, self._wake)
        except TimeoutError:
            return
