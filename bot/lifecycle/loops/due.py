"""The base class of loops that claim the due rows of one table and work on several of them at once.

A claim is a process's right to work on a row for a limited time. A restarted process is treated as another
process. The claim is renewed while the work runs. Once it has expired, another process may claim the row. A
process never claims a row that it is still working on.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from typing_extensions import override

from bot.errors import GpubotError, Outage
from bot.lifecycle.deps import StepDeps, with_newest_rules
from bot.lifecycle.loops.running import LOOK_AGAIN, PAUSE_AFTER_OUTAGE, Part, ignore, keep_running
from bot.lifecycle.steps.polling import until_polls
from bot.model.records import Claimed
from store.claims import DueTable
from store.db import Tx, Written

R = TypeVar("R", bound=Claimed)

log = structlog.get_logger()

CLAIM_SECONDS = 20.0
"""The duration of a claim, in wall-clock seconds by the database's clock.

A claim is renewed once a quarter of this time has passed. A call that buys or deletes something is only allowed
to start during the first half of this time.
"""
BETWEEN_PASSES = 0.13
"""The wall-clock seconds between two reads of the due rows. Shorter if polls are due earlier.

Each time, the loop claims all rows that have become due since the last time.
"""


@dataclass
class _UnderWay:
    """The running work on one claimed row."""

    task: asyncio.Task[None]
    started_at: datetime
    """The wall-clock time at which the work started."""
    claimed_until: float
    """The earliest time at which the claim can expire, by `Clock.monotonic`."""
    lost: bool = False
    """True if another process has claimed the row, or may have done so because the claim expired."""


@dataclass(eq=False, repr=False)
class DueLoop(Part, ABC, Generic[R]):
    """A loop that waits until rows are due, claims them, and works on them.

    A commit can wake the loop earlier. The loop works on at most `at_once` rows at the same time.
    """

    waits_for_witnesses = True
    written: ClassVar[Written]
    """The loop wakes after each commit that contains a write of this kind."""
    logged_as: ClassVar[tuple[str, str]]
    """The first part of the name of the loop's log events, and the name of the log field with the row's ID."""
    retry: ClassVar[timedelta]
    """The delay before a row is tried again after its work has failed."""

    deps: StepDeps
    _: KW_ONLY
    at_once: int
    claim_seconds: float = CLAIM_SECONDS
    on_bug: Callable[[str], None] = ignore
    """Called after a bug, with the name of the work that failed."""
    on_outage: Callable[[], None] = ignore
    """Called after each failure of the store."""
    passes: int = field(default=0, init=False)
    claims_lost: int = field(default=0, init=False)
    """The number of claims that were lost to another process while this one was still working on the row."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _under_way: dict[str, _UnderWay] = field(default_factory=dict, init=False)
    _claiming: bool = field(default=False, init=False)
    _next_due: datetime | None = field(default=None, init=False)
    """The time at which the next row is due, as of the last read of the store."""

    def __post_init__(self) -> None:
        self.deps.store.on_commit(self._wake.set, self.written)

    # --- the work on a row

    @abstractmethod
    def rows(self, tx: Tx) -> DueTable[R]:
        """Return the table that this loop works on."""

    @abstractmethod
    async def work(self, row: R, claim_lasts: Callable[[], bool]) -> None:
        """Work on a claimed row, and end its claim.

        If this raises an error, the loop calls `failed` and postpones the row. While `claim_lasts` returns False,
        the work must not buy or delete anything.
        """

    async def failed(self, row: R, error: Exception) -> None:
        """Report that the work on a row raised an error."""
        name, key = self.logged_as
        if isinstance(error, Outage):
            log.warning(f"{name}.outage", **{key: row.id}, error=type(error).__name__)
        else:
            log.error(f"{name}.failed", **{key: row.id}, exc_info=error)
            self.on_bug(name)

    async def load(self, tx: Tx, rows: Sequence[R]) -> None:
        """Load the data that the work on these rows needs, for all rows at once.

        Called in the transaction that claims the rows.
        """

    async def before_pass(self) -> None:
        """Prepare for claiming due rows. Called at the start of `run_pass`."""

    def started(self, row: R, now: datetime) -> None:
        """Record that the work on a row has started."""

    def failed_with_bug(self) -> None:
        """Report that `run_pass` failed because of a bug."""
        self.on_bug(self.name)

    async def after_cancelling(self) -> None:
        """Wait for calls that are still running although the work that made them was cancelled.

        Called before the claims are released, so that no other process continues the work before those calls have
        finished.
        """

    def lost(self, row_id: str) -> None:
        """React to a lost claim: another process has claimed a row that this process is still working on."""

    # --- the loop

    @property
    @override
    def in_flight(self) -> int:
        """Return the number of rows being worked on, plus 1 while rows are being claimed."""
        return len(self._under_way) + self._claiming

    @override
    def pass_is_due(self) -> bool:
        """Return whether the loop is about to claim due rows.

        This is the case if a commit has woken the loop, or if the time of the next known row has come.
        """
        return self._wake.is_set() or (self._next_due is not None and self._next_due <= self.deps.clock.now())

    def under_way(self) -> dict[str, datetime]:
        """Return the IDs of the rows being worked on, each with the wall-clock time at which its work started."""
        return {key: one.started_at for key, one in self._under_way.items()}

    async def next_due(self) -> datetime | None:
        """Return the time at which the next unclaimed row is due."""
        async with self.deps.store.read() as tx:
            return await self.rows(tx).next_due()

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        """Return the time at which the next row is due, leaving out rows that this process is working on.

        Rows that other processes have claimed are included, because a process can die before it releases its
        claims.
        """
        return await self.rows(tx).next_due(without=self._under_way.keys(), claimed=True)

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {"claims_lost": self.claims_lost}

    @override
    async def run(self) -> None:
        """Run until cancelled.

        Unfinished work continues after that; `drain` waits for it.
        """
        await keep_running(
            self.name,
            self._turn,
            self.deps.clock,
            on_outage=self.on_outage,
            on_bug=self.failed_with_bug,
        )

    async def _turn(self) -> None:
        clock = self.deps.clock
        next_pass = clock.monotonic() + min(BETWEEN_PASSES, until_polls(clock.now()).total_seconds())
        self._wake.clear()
        due = await self.run_pass()
        with suppress(TimeoutError):
            # Wake up in time to renew the claims.
            async with asyncio.timeout(min(self.claim_seconds / 4, LOOK_AGAIN)):
                await clock.sleep_until(due, self._wake)
        await clock.pause(max(next_pass - clock.monotonic(), 0.0))

    async def run_pass(self) -> datetime | None:
        """Start to work on the due rows, and return the time at which to look for due rows again.

        None if no due time is known.
        """
        self.passes += 1
        # Tasks that start in this pass of the loop use this object until they end. They therefore follow the rules
        # that are in force now, even if the policy changes in the meantime.
        self.deps = with_newest_rules(self.deps)
        await self._renew_claims()
        await self.before_pass()
        free = self.at_once - len(self._under_way)
        if free <= 0 or not self.deps.may_claim():
            return None
        now, due = self.deps.clock.now(), self._next_due
        if due is None or due > now:
            self._next_due = due = await self.next_due()
        if due is None or due > now:
            return due
        self._claiming, self._next_due = True, None
        try:
            self._next_due = await self._start_due(now, free)
        finally:
            self._claiming = False
        return self._next_due

    async def drain(self) -> None:
        """Wait until all unfinished work has ended."""
        while self._under_way:
            await asyncio.wait([one.task for one in self._under_way.values()])

    @override
    async def end(self) -> None:
        """Cancel the unfinished work, and release the claims.

        If the store refuses the write, the claims expire on their own. Must not be called during `run_pass`.
        """
        rows = list(self._under_way)
        await self.cancel(rows)
        await self.after_cancelling()
        if rows:
            with suppress(GpubotError):
                async with self.deps.store.write() as tx:
                    for row_id in rows:
                        await self.rows(tx).release(row_id)

    async def cancel(self, row_ids: Collection[str]) -> None:
        """Cancel the work on these rows.

        Rows that aren't being worked on are ignored.
        """
        tasks = [one.task for key, one in self._under_way.items() if key in row_ids]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_due(self, now: datetime, free: int) -> datetime | None:
        """Claim the due rows and start to work on them. Return the time at which the next rows are due.

        If the database doesn't confirm the commit of a claim, the claim expires on its own.
        """
        until = self.deps.clock.monotonic() + self.claim_seconds
        async with self.deps.store.write(durable=False) as tx:
            rows, ours = self.rows(tx), self._under_way.keys()
            claimed = await rows.claim(now, free, self.claim_seconds, without=ours)
            await self.load(tx, claimed)
            next_due = await rows.next_due(without=ours) if len(claimed) < free else now
        for row in claimed:
            self.started(row, now)
            task = asyncio.create_task(self._run(row))
            self._under_way[row.id] = _UnderWay(task, self.deps.clock.real(), until)
            task.add_done_callback(partial(self._done, row.id))
        return next_due

    def _done(self, row_id: str, _: asyncio.Task[None]) -> None:
        self._under_way.pop(row_id, None)
        self._wake.set()

    async def _run(self, row: R) -> None:
        try:
            await self.work(row, partial(self._claim_lasts, row.id))
        except Exception as error:
            # An error in the work on one row must not stop the work on the others.
            await self.failed(row, error)
            await self._put_off(row)

    async def _put_off(self, row: R) -> None:
        """Postpone a row and end its claim, retrying until the store accepts the write."""
        while True:
            try:
                async with self.deps.store.write() as tx:
                    await self.rows(tx).defer(row, self.deps.clock.now() + self.retry)
                    return
            except GpubotError as error:
                log.warning(f"{self.name}.not_released", error=type(error).__name__)
                self.on_outage()
                await self.deps.clock.pause(PAUSE_AFTER_OUTAGE)

    # --- claims

    def lasts(self, row_id: str) -> bool:
        """Return whether this process can still rely on its claim on a row.

        At least half of the claim's duration must be left. False if another process has claimed the row, or if
        this machine's clock can't be trusted.
        """
        one = self._under_way[row_id]
        left = one.claimed_until - self.deps.clock.monotonic()
        return not one.lost and left >= self.claim_seconds / 2 and self.deps.may_claim()

    def _claim_lasts(self, row_id: str) -> bool:
        lasts = self.lasts(row_id)
        if not lasts:
            log.warning(f"{self.name}.claim_ends", row=row_id, lost=self._under_way[row_id].lost)
        return lasts

    async def _renew_claims(self) -> None:
        """Renew the claims of all running work as soon as one of them has used up a quarter of its time."""
        now = self.deps.clock.monotonic()
        held = {key: one for key, one in self._under_way.items() if not one.lost}
        if all(one.claimed_until - now > self.claim_seconds * 3 / 4 for one in held.values()):
            return
        async with self.deps.store.write(durable=False) as tx:
            renewed = await self.rows(tx).renew(held, self.claim_seconds)
        for key, one in held.items():
            one.claimed_until, one.lost = now + self.claim_seconds, key not in renewed
            # Work that has finished in the meantime has released its claim itself. A claim that is missing for
            # this reason isn't a lost claim.
            if one.lost and self._under_way.get(key) is one:
                self.claims_lost += 1
                log.warning(f"{self.name}.claim_lost", row=key)
                self.lost(key)
