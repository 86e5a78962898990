"""Deletes machines that should have ended long ago and that their rental's own step did not end.

It needs the stored attempt with its resources and its end, and the market; nothing else of a rental is loaded,
because that may be what keeps the step from working. docs/decisions/23-a-deletion-of-its-own.md says when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.errors import GpubotError, MarketAway
from bot.lifecycle.account import send_notices
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports import KnownResource, UnfinishedAttempt
from bot.lifecycle.steps.polling import soonest
from bot.model.event import Event, EventKind, Facts
from bot.policy.leases import OVERDUE_GRACES, overdue_grace

log = structlog.get_logger()

LOOK_EVERY = timedelta(minutes=1)
AWAKE = timedelta(minutes=5)
"""If the last look is longer ago, the bot did not see what became due meanwhile."""
AGAIN_WHEN_QUIET = timedelta(minutes=10)
"""Until a machine is looked for again that nothing was found of."""
AFTER_AN_OUTAGE = timedelta(minutes=3)
"""How long a rental's own step goes first once the market answers again: what was bought may still be wanted."""
WATCHED = timedelta(minutes=2)
"""If its own step read a resource this recently while deleting it, the step works and is only slow."""
BREATH = 0.05
"""Real seconds between two looks at least, also if time runs faster than real time."""

Key = tuple[str, int]


@dataclass(frozen=True)
class Seen:
    """Since when an attempt has been past its end with the bot awake."""

    end: datetime
    since: datetime
    kept: bool = False
    """Whether the store knows it."""


class OverdueDeletion:
    """Looks for overdue machines every minute, in a loop that shares nothing with the engine's."""

    def __init__(self, deps: StepDeps) -> None:
        self._deps = deps
        self._looked_at: datetime | None = None
        self._seen: dict[Key, Seen] = {}
        self._again_at: dict[Key, datetime] = {}
        self._away_at: dict[Key, datetime] = {}
        """When the market last had no answer about an attempt."""
        self._unwritten: dict[Key, tuple[UnfinishedAttempt, tuple[KnownResource, ...]]] = {}
        """Deletions that the store has not taken yet."""
        self.next_at: datetime | None = None
        """When a machine is deleted next, as far as is known."""
        self.busy = False

    def due(self) -> bool:
        """Whether a look is due by our clock."""
        now = self._deps.clock.now()
        looked_at = self._looked_at
        return looked_at is None or now >= min(self.next_at or now + LOOK_EVERY, looked_at + LOOK_EVERY)

    async def run(self) -> None:
        """Runs until cancelled."""
        never = asyncio.Event()
        while True:
            self.busy = True
            try:
                await self.look()
            except GpubotError as error:
                log.warning("overdue.outage", error=type(error).__name__)
                self.next_at = None
            except Exception:
                log.exception("overdue.failed")
                self.next_at = None
            finally:
                self.busy = False
            await self._deps.clock.pause(BREATH)
            later = (self._looked_at or self._deps.clock.now()) + LOOK_EVERY
            await self._deps.clock.sleep_until(soonest(later, self.next_at), never)

    async def look(self) -> None:
        """Deletes what is overdue now. Raises StoreBusy if the store can't be read; then nothing is deleted."""
        now = self._deps.clock.now()
        looked_at, self._looked_at = self._looked_at, now
        async with self._deps.store.read() as tx:
            found = await tx.overdue.past_end(now)
        attempts = {(one.rental_id, one.n): one for one in found}
        await self._forget(attempts)
        waiting = []
        for key, attempt in attempts.items():
            try:
                overdue_at = await self._overdue_at(attempt, looked_at, now)
                if overdue_at > now:
                    waiting.append(overdue_at)
                elif self._again_at.get(key, now) <= now:
                    await self._delete(attempt)
            except GpubotError as error:
                log.warning("overdue.outage", rental=attempt.rental_id, error=type(error).__name__)
            except Exception:
                # One attempt's failure must not keep the others alive.
                log.exception("overdue.failed", rental=attempt.rental_id)
        again = [at for at in self._again_at.values() if at > now]
        self.next_at = soonest(*waiting, *again)
        await self._write_down()

    # --- from when on it is overdue

    async def _overdue_at(self, attempt: UnfinishedAttempt, looked_at: datetime | None, now: datetime) -> datetime:
        end, graces = self._end(attempt)
        since = end if end > now else await self._seen_since(attempt, end, looked_at, now)
        return since + graces * overdue_grace(self._deps.rules)

    def _end(self, attempt: UnfinishedAttempt) -> tuple[datetime, int]:
        """When the attempt should have ended, and how many graces it then has."""
        destroyed = attempt.over_at or attempt.destroying_since
        if destroyed is not None:
            return destroyed, 1
        if attempt.newest and attempt.ends_at is not None:
            return attempt.ends_at, OVERDUE_GRACES
        began = attempt.accepted_at if attempt.newest else None
        return (began or attempt.intended_at) + self._deps.rules.procure.provision_timeout, 1

    async def _seen_since(
        self, attempt: UnfinishedAttempt, end: datetime, looked_at: datetime | None, now: datetime
    ) -> datetime:
        """Since when this end is past with the bot awake. After a pause of ours the graces count from its end:
        nobody could be told of the lease's end meanwhile, nor could a step act on what came."""
        key = attempt.rental_id, attempt.n
        seen = self._seen.get(key)
        if seen is None or seen.end != end:
            awake = looked_at is not None and looked_at <= end and now - looked_at <= AWAKE
            seen = await self._kept(key, end) or Seen(end=end, since=end if awake else now)
            self._seen[key] = seen
        if not seen.kept and now - seen.since >= overdue_grace(self._deps.rules) / 2:
            await self._keep(key, seen)
        return seen.since

    async def _kept(self, key: Key, end: datetime) -> Seen | None:
        async with self._deps.store.read() as tx:
            said = await tx.account.get(_fact(key))
        known_end, _, since = (said or "").partition(" ")
        return Seen(end, datetime.fromisoformat(since), kept=True) if known_end == end.isoformat() else None

    async def _keep(self, key: Key, seen: Seen) -> None:
        """Writes it down for the next start: a step that ends the process must not restart the graces."""
        try:
            async with self._deps.store.write() as tx:
                await tx.account.set(_fact(key), f"{seen.end.isoformat()} {seen.since.isoformat()}")
        except GpubotError:
            return
        self._seen[key] = Seen(seen.end, seen.since, kept=True)

    async def _forget(self, attempts: Mapping[Key, UnfinishedAttempt]) -> None:
        for key in self._seen.keys() - attempts.keys():
            if self._seen[key].kept:
                try:
                    async with self._deps.store.write() as tx:
                        await tx.account.set(_fact(key), None)
                except GpubotError:
                    continue
            del self._seen[key]
            self._again_at.pop(key, None)
            self._away_at.pop(key, None)

    # --- deleting

    async def _delete(self, attempt: UnfinishedAttempt) -> None:
        """Deletes every resource of an attempt, those too that the store doesn't know yet."""
        now = self._deps.clock.now()
        key = attempt.rental_id, attempt.n
        if _watched(attempt, now):
            return
        self._again_at[key] = now + LOOK_EVERY
        found, complete = await self._look_up(attempt)
        away_at = self._away_at.get(key)
        if complete and away_at is not None and now - away_at < AFTER_AN_OUTAGE:
            return
        for one in found:
            # The end is read again before each call: it may have been extended meanwhile.
            current = await self._still(attempt)
            if current is None:
                return
            try:
                accepted = await self._deps.market.delete(one.resource_id)
            except Exception as error:
                log.warning("overdue.not_deleted", resource=one.resource_id, error=type(error).__name__)
                complete = False
                continue
            if accepted:
                # At once: if the next read fails, this deletion must be written and told all the same.
                complete = False
                log.warning("overdue.deleted", rental=attempt.rental_id, resource=one.resource_id)
                _, before = self._unwritten.get(key, (attempt, ()))
                self._unwritten[key] = attempt, (*before, one)
        self._again_at[key] = now + (AGAIN_WHEN_QUIET if complete else LOOK_EVERY)

    async def _look_up(self, attempt: UnfinishedAttempt) -> tuple[list[KnownResource], bool]:
        """What may still bill of an attempt, and whether the market said all that there is."""
        now = self._deps.clock.now()
        try:
            statuses = await self._deps.market.resource_ids(attempt.offer_id)
        except Exception as error:
            # Also a bug in reading the answer: what the store knows is deleted all the same.
            log.warning("overdue.not_listed", rental=attempt.rental_id, error=type(error).__name__)
            if isinstance(error, MarketAway):
                self._away_at[attempt.rental_id, attempt.n] = now
            return list(attempt.resources), False
        known = {one.resource_id: one for one in attempt.resources}
        async with self._deps.store.read() as tx:
            others = await tx.overdue.of_others(attempt, statuses.keys() - known.keys())
        for resource_id, status in statuses.items():
            if resource_id not in others and resource_id not in known:
                known[resource_id] = KnownResource(resource_id=resource_id, status=status, read_at=now)
        return [one for one in known.values() if statuses.get(one.resource_id) != "deleted"], True

    async def _still(self, attempt: UnfinishedAttempt) -> UnfinishedAttempt | None:
        """The attempt, if it has the end that it was found overdue with."""
        async with self._deps.store.read() as tx:
            current = await tx.overdue.attempt(attempt.rental_id, attempt.n)
        return current if current is not None and self._end(current) == self._end(attempt) else None

    async def _write_down(self) -> None:
        """Marks attempts for deletion and tells people, as soon as the store takes it."""
        for key, (attempt, deleted) in list(self._unwritten.items()):
            end, _ = self._end(attempt)
            now = self._deps.clock.now()
            facts = Facts(name=attempt.rental_id, since=end)
            event = Event(rental_id=attempt.rental_id, kind=EventKind.DELETED_OVERDUE, at=now, facts=facts)
            try:
                async with self._deps.store.write() as tx:
                    if await tx.overdue.mark(attempt, deleted, now):
                        await send_notices(tx, self._deps, event, attempt.owner)
            except GpubotError as error:
                log.warning("overdue.not_written", rental=attempt.rental_id, error=type(error).__name__)
                return
            except Exception:
                log.exception("overdue.not_written", rental=attempt.rental_id)
                continue
            del self._unwritten[key]


def _watched(attempt: UnfinishedAttempt, now: datetime) -> bool:
    """Whether the rental's own step is deleting it and looks at it regularly."""
    return (
        attempt.marked_for_deletion
        and bool(attempt.resources)
        and all(one.delete_accepted_at is not None and now - one.read_at <= WATCHED for one in attempt.resources)
    )


def _fact(key: Key) -> str:
    rental_id, n = key
    return f"past_end:{rental_id}:{n}"
