"""The loop over due rows of one table: it claims them and works on several at once.

A claim has a holder, which is this process since its start, and an end. It is renewed while its work runs. Past
its end, another process may take the row; this one never takes a row that it still works on.
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
"""How long a claim lasts, in the database's real time. It is renewed after a quarter of this time. A call that
buys or deletes begins only in the first half."""
BETWEEN_PASSES = 0.13
"""Real seconds from the start of one pass to the next, or fewer if polls are due before. What becomes due
meanwhile is claimed together. It is more than half of TOGETHER, so that at most two passes begin in that time."""


@dataclass
class _UnderWay:
    """Work on a claimed row."""

    task: asyncio.Task[None]
    started_at: datetime
    """In real time."""
    claimed_until: float
    """By `Clock.monotonic`. The claim ends then, or later."""
    lost: bool = False
    """Whether another process took the claim, or may have taken it in between."""


@dataclass(eq=False, repr=False)
class DueLoop(Part, ABC, Generic[R]):
    """Sleeps until a row is due or a commit wakes it, then claims the due rows and works on them, at most
    `at_once` at the same time. Its log events begin with its name.
    """

    waits_for_witnesses = True
    written: ClassVar[Written]
    """What a commit must have written to wake the loop."""
    logged_as: ClassVar[tuple[str, str]]
    """How failed work is logged: the first part of the event's name, and the key of the row's id."""
    retry: ClassVar[timedelta]
    """How long after failed work its row is due again."""

    deps: StepDeps
    _: KW_ONLY
    at_once: int
    claim_seconds: float = CLAIM_SECONDS
    on_bug: Callable[[str], None] = ignore
    """Called with the name of what failed with a bug."""
    on_outage: Callable[[], None] = ignore
    """Called after each failure of the store."""
    passes: int = field(default=0, init=False)
    claims_lost: int = field(default=0, init=False)
    """The number of claims that another process took while their work went on."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _under_way: dict[str, _UnderWay] = field(default_factory=dict, init=False)
    _claiming: bool = field(default=False, init=False)
    _next_due: datetime | None = field(default=None, init=False)
    """When the next row is due, as it was read last."""

    def __post_init__(self) -> None:
        self.deps.store.on_commit(self._wake.set, self.written)

    # --- what is done with a row

    @abstractmethod
    def rows(self, tx: Tx) -> DueTable[R]:
        """Return the loop's table."""

    @abstractmethod
    async def work(self, row: R, claim_lasts: Callable[[], bool]) -> None:
        """Work on a claimed row, and end its claim. If this raises, `failed` is called and the row is put off.
        While `claim_lasts` returns False, nothing may be bought or deleted.
        """

    async def failed(self, row: R, error: Exception) -> None:
        """Report that work on a row raised an error."""
        name, key = self.logged_as
        if isinstance(error, Outage):
            log.warning(f"{name}.outage", **{key: row.id}, error=type(error).__name__)
        else:
            log.error(f"{name}.failed", **{key: row.id}, exc_info=error)
            self.on_bug(name)

    async def load(self, tx: Tx, rows: Sequence[R]) -> None:
        """Read what the work on these rows needs, for all of them at once. Called in the transaction that claims
        them.
        """

    async def before_pass(self) -> None:
        """Called at the start of each pass."""

    def started(self, row: R, now: datetime) -> None:
        """Called when the work on a row begins."""

    def failed_with_bug(self) -> None:
        """Called after a pass that failed with a bug."""
        self.on_bug(self.name)

    async def after_cancelling(self) -> None:
        """Wait for what cancelled work still has under way. Called before another process can go on with it."""

    def lost(self, row_id: str) -> None:
        """Called when another process took the claim on a row that is worked on."""

    # --- the loop

    @property
    @override
    def in_flight(self) -> int:
        """Return how many rows are worked on, plus one while some are being claimed: the store no longer reports
        those as due, and the work on them hasn't begun.
        """
        return len(self._under_way) + self._claiming

    @override
    def pass_is_due(self) -> bool:
        """Return whether the next pass begins as soon as the pause since the last one is over: a commit woke the
        loop, or a row that it knows of is due. This reads no store.
        """
        return self._wake.is_set() or (self._next_due is not None and self._next_due <= self.deps.clock.now())

    def under_way(self) -> dict[str, datetime]:
        """Return the ids of the rows that are worked on, each with the real time at which its work began."""
        return {key: one.started_at for key, one in self._under_way.items()}

    async def next_due(self) -> datetime | None:
        """Return when the next row is due that nobody has claimed."""
        async with self.deps.store.read() as tx:
            return await self.rows(tx).next_due()

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        """Return when the first row is due that this process doesn't work on. The row may still be claimed, by a
        process that died.
        """
        return await self.rows(tx).next_due(without=self._under_way.keys(), claimed=True)

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {"claims_lost": self.claims_lost}

    @override
    async def run(self) -> None:
        """Run until cancelled. Work that is under way goes on; `drain` waits for it."""
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
            # Wake in time to renew claims.
            async with asyncio.timeout(min(self.claim_seconds / 4, LOOK_AGAIN)):
                await clock.sleep_until(due, self._wake)
        await clock.pause(max(next_pass - clock.monotonic(), 0.0))

    async def run_pass(self) -> datetime | None:
        """Start to work on the due rows. Return when the next pass is due. Return None if only a commit, the end
        of some work or the end of a claim makes one due.
        """
        self.passes += 1
        # The work that this pass starts takes `deps`, and so its rules, once.
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
        """Wait for the work that is under way."""
        while self._under_way:
            await asyncio.wait([one.task for one in self._under_way.values()])

    @override
    async def end(self) -> None:
        """Cancel the work that is under way, and end the claims. If the store doesn't take it, the claims run out.

        Call this while no pass claims anything.
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
        """Cancel the work on these rows. Rows that are not worked on are ignored."""
        tasks = [one.task for key, one in self._under_way.items() if key in row_ids]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_due(self, now: datetime, free: int) -> datetime | None:
        """Claim and start what is due. Return when more is due.

        If the commit of a claim got no answer, the claim runs out on its own.
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
            # A failure of one row's work must not stop that of others.
            await self.failed(row, error)
            await self._put_off(row)

    async def _put_off(self, row: R) -> None:
        """Make a row due again later, and end its claim, as soon as the store takes it."""
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
        """Return whether at least half of the claim on a row that is worked on is left. Return False if this
        machine's clock can't be trusted.
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
        """Renew the claims of all running work, once a quarter of the time of any of them has passed."""
        now = self.deps.clock.monotonic()
        held = {key: one for key, one in self._under_way.items() if not one.lost}
        if all(one.claimed_until - now > self.claim_seconds * 3 / 4 for one in held.values()):
            return
        async with self.deps.store.write(durable=False) as tx:
            renewed = await self.rows(tx).renew(held, self.claim_seconds)
        for key, one in held.items():
            one.claimed_until, one.lost = now + self.claim_seconds, key not in renewed
            if one.lost and self._under_way.get(key) is one:  # else it ended its claim itself
                self.claims_lost += 1
                log.warning(f"{self.name}.claim_lost", row=key)
                self.lost(key)
