"""Deletes machines that are still running after their end.

A step is the code that advances a rental. Usually, the rental's step deletes the machine. This module deletes the
machine if the step fails. It queries the Compute Clear API, and loads only the stored purchases, with their
resources and the times at which their machines are to end. The rest of the rental may be impossible to load, and
this can be the reason why the step fails.

The deletion also works if the clock of the bot's computer is wrong: every check compares this clock with the
clocks of other servers, and uses the corrected time (bot/policy/use/clocks.py). docs/decisions/ends.md explains
why overdue machines are deleted in this way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from typing_extensions import override

from bot.clock import CorrectedClock, Reading
from bot.errors import GpubotError, MarketAway
from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import StepDeps, with_newest_rules
from bot.lifecycle.loops.running import Part, keep_running
from bot.lifecycle.steps.polling import soonest
from bot.model.account_facts import PAST_END, PastEnd
from bot.model.event import Event, EventKind
from bot.model.facts import AlertFacts
from bot.model.records import KnownResource, UnfinishedAttempt
from bot.policy.use.clocks import MOST_FROM_WITNESSES, ahead_of_deletions
from bot.policy.use.leases import OVERDUE_GRACES, overdue_grace
from store.db import Tx

log = structlog.get_logger()

CHECK_EVERY = timedelta(minutes=1)
DOWN_AFTER = timedelta(minutes=5)
"""If there was no check for this long, the bot is assumed to have been down."""
RETRY_COMPLETE = timedelta(minutes=10)
"""The interval between checks of an overdue machine that has nothing left to delete."""
STEP_GOES_FIRST = timedelta(minutes=3)
"""The time after an outage of the market in which this module deletes nothing.

The code that advances the rental gets this time to act first, because the owner may still need the machine.
"""
STEP_WORKS_WITHIN = timedelta(minutes=2)
"""A rental's step counts as working if it has read the resource that it is deleting within this time.

Only the vendor is slow in this case, so this module deletes nothing.
"""
SHORTEST_PAUSE = 0.05
"""The shortest pause between two checks, in wall-clock seconds, even if the bot's clock runs fast."""

AttemptKey = tuple[str, int]
"""The rental's ID and the number of the purchase."""


class OverdueDeletion(Part):
    """Looks for overdue machines every minute, and deletes them.

    It has a loop of its own, so that overdue machines are deleted even if the loop that advances rentals fails.
    """

    name = "overdue"
    in_flight = 0

    def __init__(self, deps: StepDeps) -> None:
        self._clock = CorrectedClock(deps.clock)
        """The clock that decides what is overdue. It is corrected each time purchases are read from the store."""
        self._deps = replace(deps, clock=self._clock)
        self._checked_at: datetime | None = None
        self._past_end: dict[AttemptKey, PastEnd] = {}
        self._stored: set[AttemptKey] = set()
        """The purchases for which the start of the grace periods has been stored (PastEnd)."""
        self._retry_at: dict[AttemptKey, datetime] = {}
        self._away_at: dict[AttemptKey, datetime] = {}
        """The time of the market's latest failure to answer, for each purchase."""
        self._unwritten: dict[AttemptKey, tuple[UnfinishedAttempt, tuple[KnownResource, ...]]] = {}
        """Accepted deletions that couldn't be stored yet."""
        self.next_at: datetime | None = None
        """The time at which the next known machine will be deleted."""

    def due(self) -> bool:
        """Return whether a check is due."""
        now = self._deps.clock.now()
        checked_at = self._checked_at
        return checked_at is None or now >= min(self.next_at or now + CHECK_EVERY, checked_at + CHECK_EVERY)

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        """Return the current time if a check is due, and otherwise the time of the next known deletion.

        None if no check is due and no deletion is known. The returned time is by the bot's clock, even if that
        clock is wrong.
        """
        if self.due():
            return self._clock.uncorrected.now()
        return None if self.next_at is None else self.next_at + self._clock.ahead

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {"next_overdue": None if self.next_at is None else self.next_at.isoformat()}

    @override
    async def run(self) -> None:
        await keep_running("overdue", self._turn, self._deps.clock)

    async def _turn(self) -> None:
        clock = self._deps.clock
        self.in_flight, self.next_at = 1, None
        try:
            await self.delete_overdue()
        finally:
            self.in_flight = 0
        await clock.pause(SHORTEST_PAUSE)
        later = (self._checked_at or clock.now()) + CHECK_EVERY
        await clock.sleep_until(soonest(later, self.next_at), asyncio.Event())

    async def delete_overdue(self) -> None:
        """Delete the machines that are overdue now.

        If the store can't be read, nothing is deleted and StoreBusy is raised.
        """
        self._deps = with_newest_rules(self._deps)
        checked_at, self._checked_at = self._checked_at, self._deps.clock.now()
        async with self._deps.store.read() as tx:
            now = self._checked_at = await self._correct_clock(tx)
            past_end = await tx.overdue.past_end(now)
        if checked_at is not None and now < checked_at - MOST_FROM_WITNESSES:
            # The clock has been set back, so it was wrong during the earlier checks. The times that these checks
            # recorded are wrong as well. Discard them.
            self._retry_at.clear()
            self._away_at.clear()
        attempts = {(attempt.rental_id, attempt.n): attempt for attempt in past_end}
        await self._forget(attempts)
        waiting = []
        for key, attempt in attempts.items():
            try:
                overdue_at = await self._overdue_at(attempt, checked_at, now)
                if overdue_at > now:
                    waiting.append(overdue_at)
                elif self._retry_at.get(key, now) <= now:
                    await self._delete(attempt, overdue_at)
            except GpubotError as error:
                log.warning("overdue.outage", rental=attempt.rental_id, error=type(error).__name__)
            except Exception:
                # An error in the deletion of one machine must not stop the deletion of the others.
                log.exception("overdue.failed", rental=attempt.rental_id)
        retries = [at for at in self._retry_at.values() if at > now]
        self.next_at = soonest(*waiting, *retries)
        await self._write_deletions()

    # --- when an attempt is overdue

    async def _correct_clock(self, tx: Tx) -> datetime:
        """Compare the bot's clock with the clocks of other servers, correct it, and return the corrected time."""
        before = self._clock.monotonic()
        theirs = await tx.overdue.database_time()
        reading = None if theirs is None else Reading(theirs, before, self._clock.monotonic())
        ahead = timedelta(0) if reading is None else reading.ahead(self._clock.uncorrected)
        self._clock.ahead = ahead_of_deletions(ahead, self._deps.ahead_of_witnesses())
        return self._clock.now()

    async def _overdue_at(
        self, attempt: UnfinishedAttempt, checked_at: datetime | None, now: datetime
    ) -> datetime:
        end, grace_periods = self._end(attempt)
        since = end if end > now else await self._past_end_since(attempt, end, checked_at, now)
        return since + grace_periods * overdue_grace(self._deps.rules)

    def _end(self, attempt: UnfinishedAttempt) -> tuple[datetime, int]:
        """Return the planned end of a purchase's machine, and the number of grace periods to add."""
        destroyed = attempt.over_at or attempt.destroying_since
        if destroyed is not None:
            return destroyed, 1
        if attempt.newest and attempt.ends_at is not None:
            return attempt.ends_at, OVERDUE_GRACES
        began = attempt.accepted_at if attempt.newest else None
        return (began or attempt.intended_at) + self._deps.rules.procure.provision_timeout, 1

    async def _past_end_since(
        self, attempt: UnfinishedAttempt, end: datetime, checked_at: datetime | None, now: datetime
    ) -> datetime:
        """Return the time at which a machine's grace periods start.

        Usually, the grace periods start when the machine should have ended. If the bot was down at that time, they
        start now: people weren't notified of the end, and couldn't tell the bot that they want to keep the
        machine.
        """
        key = attempt.rental_id, attempt.n
        past_end = self._past_end.get(key)
        if past_end is None or past_end.end != end or past_end.since > now:
            running = checked_at is not None and checked_at <= end and now - checked_at <= DOWN_AFTER
            async with self._deps.store.read() as tx:
                stored = await tx.account.get(PAST_END, _key(key))
            # Ignore a stored time that is in the future. It was written while this machine's clock was wrong.
            if stored is not None and stored.end == end and stored.since <= now:
                past_end = stored
                self._stored.add(key)
            else:
                past_end = PastEnd(end=end, since=end if running else now)
                self._stored.discard(key)
            self._past_end[key] = past_end
        if key not in self._stored and now - past_end.since >= overdue_grace(self._deps.rules) / 2:
            # Store the time since which the machine has been past its end. If the bot crashes again and again, the
            # time allowed until the deletion would otherwise start anew after each crash, and the machine might
            # never be deleted.
            with suppress(GpubotError):
                await self._store(key, past_end)
                self._stored.add(key)
        return past_end.since

    async def _store(self, key: AttemptKey, past_end: PastEnd | None) -> None:
        async with self._deps.store.write() as tx:
            await tx.account.set(PAST_END, past_end, _key(key))

    async def _forget(self, attempts: Mapping[AttemptKey, UnfinishedAttempt]) -> None:
        for key in self._past_end.keys() - attempts.keys():
            if key in self._stored:
                try:
                    await self._store(key, None)
                except GpubotError:
                    continue
                self._stored.discard(key)
            del self._past_end[key]
            self._retry_at.pop(key, None)
            self._away_at.pop(key, None)

    # --- deleting

    async def _delete(self, attempt: UnfinishedAttempt, overdue_at: datetime) -> None:
        """Delete every resource that a purchase created, including resources that aren't in the store yet."""
        now = self._deps.clock.now()
        key = attempt.rental_id, attempt.n
        if _step_is_deleting(attempt, now):
            return
        self._retry_at[key] = now + CHECK_EVERY
        resources, complete = await self._resources_of(attempt)
        away_at = self._away_at.get(key)
        if complete and away_at is not None and now - away_at < STEP_GOES_FIRST:
            return
        for resource in resources:
            # Read the end of the lease and the clock again before each deletion. Since the last reading, somebody
            # may have extended the lease, and a response of the market may have corrected the clock.
            if not await self._still_overdue(attempt, overdue_at):
                return
            try:
                accepted = await self._deps.market.delete(resource.resource_id)
            except Exception as error:
                log.warning("overdue.not_deleted", resource=resource.resource_id, error=type(error).__name__)
                complete = False
                continue
            # An adopted machine, which the bot didn't buy itself, has no offer. The statuses of a machine's
            # resources are read by its offer, so for an adopted machine only the database says whether a resource
            # was deleted before.
            deleted_before = attempt.offer_id is None and resource.delete_accepted_at is not None
            if accepted and not deleted_before:
                # Record immediately that the market accepted the deletion. The deletion has to be stored and
                # people have to be notified, even if the next call of the market fails.
                complete = False
                log.warning("overdue.deleted", rental=attempt.rental_id, resource=resource.resource_id)
                _, before = self._unwritten.get(key, (attempt, ()))
                self._unwritten[key] = attempt, (*before, resource)
        self._retry_at[key] = now + (RETRY_COMPLETE if complete else CHECK_EVERY)

    async def _resources_of(self, attempt: UnfinishedAttempt) -> tuple[list[KnownResource], bool]:
        """Return the resources that a purchase created, and whether the market listed all of them.

        Resources that the market reports as deleted are left out.
        """
        if attempt.offer_id is None:
            return list(attempt.resources), True
        now = self._deps.clock.now()
        try:
            statuses = await self._deps.market.resource_ids(attempt.offer_id)
        except Exception as error:
            # The market's answer couldn't be read, perhaps because of a bug. Delete the resources that are in the
            # database all the same, because they are billed.
            log.warning("overdue.not_listed", rental=attempt.rental_id, error=type(error).__name__)
            if isinstance(error, MarketAway):
                self._away_at[attempt.rental_id, attempt.n] = now
            return list(attempt.resources), False
        known = {one.resource_id: one for one in attempt.resources}
        async with self._deps.store.read() as tx:
            others = await tx.overdue.owned_by_others(attempt, statuses.keys() - known.keys())
        for resource_id, status in statuses.items():
            if resource_id not in others and resource_id not in known:
                known[resource_id] = KnownResource(resource_id=resource_id, status=status, read_at=now)
        return [one for one in known.values() if statuses.get(one.resource_id) != "deleted"], True

    async def _still_overdue(self, attempt: UnfinishedAttempt, overdue_at: datetime) -> bool:
        """Return whether the purchased machine is still overdue.

        The machine is overdue if `overdue_at` has passed, and if the time at which the machine should have ended
        hasn't changed since `overdue_at` was computed.
        """
        async with self._deps.store.read() as tx:
            now = await self._correct_clock(tx)
            current = await tx.overdue.attempt(attempt.rental_id, attempt.n)
        return current is not None and self._end(current) == self._end(attempt) and overdue_at <= now

    async def _write_deletions(self) -> None:
        """Store the deletions that the vendors have accepted, and notify people of them.

        If the store doesn't accept the write, it is repeated at the next check.
        """
        for key, (attempt, deleted) in list(self._unwritten.items()):
            end, _ = self._end(attempt)
            now = self._deps.clock.now()
            facts = AlertFacts(name=attempt.rental_id, since=end)
            event = Event(rental_id=attempt.rental_id, kind=EventKind.DELETED_OVERDUE, at=now, facts=facts)
            try:
                async with self._deps.store.write() as tx:
                    if await tx.overdue.mark_for_deletion(attempt, deleted, now):
                        await send(tx, self._deps, event, attempt.owner)
            except GpubotError as error:
                log.warning("overdue.not_written", rental=attempt.rental_id, error=type(error).__name__)
                return
            except Exception:
                log.exception("overdue.not_written", rental=attempt.rental_id)
                continue
            del self._unwritten[key]


def _step_is_deleting(attempt: UnfinishedAttempt, now: datetime) -> bool:
    """Return whether the resources of a purchase are already being deleted by the rental's step.

    A step is the code that advances a rental.
    """
    return (
        attempt.marked_for_deletion
        and bool(attempt.resources)
        and all(
            one.delete_accepted_at is not None and now - one.read_at <= STEP_WORKS_WITHIN
            for one in attempt.resources
        )
    )


def _key(key: AttemptKey) -> str:
    rental_id, n = key
    return f"{rental_id}:{n}"
