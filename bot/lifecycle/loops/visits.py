"""Visits the ready machines that have a probe, in a loop of its own: the engine's checks never wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.errors import GpubotError
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.visit_faults import VisitFaults
from bot.lifecycle.loops.visiting import visit
from bot.lifecycle.ports.store import Written
from bot.policy.rules import ProbeKind
from bot.policy.visiting import KEEP_SAMPLES

log = structlog.get_logger()

AT_ONCE = 64
"""How many visits run at the same time. One takes 5 to 6 s."""
LOGINS_PER_SECOND = 10.0
"""In real time. With the two limits about 1,000 machines are visited every 2 minutes. If there are more, visits
wait in the order in which they are due, so the period grows for all of them."""
RETRY_FAILED = timedelta(minutes=2)
"""How long after a visit that failed with a bug or an outage of the store the next one is."""
PAUSE_BETWEEN_PASSES = 0.02
"""Real seconds. Without it, each of many visits that end in a row would cause a pass of its own."""
PAUSE_AFTER_OUTAGE = 1.0
PAUSE_AFTER_BUG = 10.0
"""Real seconds."""
DROP_AT_ONCE = 1000
"""How many old samples one transaction drops, so that no write waits long for it."""


def _ignore(_: str) -> None:
    return


class Visits:
    """Sleeps until a visit is due, or until a commit begins, ends or hastens visits of a machine. Then it runs the
    visits that are due, `at_once` at most."""

    def __init__(
        self,
        deps: StepDeps,
        *,
        claimant: str,
        at_once: int = AT_ONCE,
        logins_per_second: float = LOGINS_PER_SECOND,
        stale_claims: bool = False,
        on_visit: Callable[[str], None] = _ignore,
    ) -> None:
        """`stale_claims`: an earlier process may have left claims that nobody works on. `on_visit` is called with
        the outcome of each visit."""
        self.faults = VisitFaults()
        self._deps = deps
        self._switched_on = deps.rules.idle.probe is ProbeKind.SSH
        self._claimant = claimant
        self._at_once = at_once
        self._pause_between_logins = 1 / logins_per_second
        self._next_login = 0.0
        """The time of `clock.monotonic` from which on the next login may begin."""
        self._stale_claims = stale_claims
        self._on_visit = on_visit
        self._wake = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """The visits under way, by rental."""
        self._claiming = False
        self._changed = False
        """Whether visits of a machine began, ended or were made due since the last pass."""
        deps.store.on_commit(self._note_change, Written.VISITS)

    @property
    def in_flight(self) -> int:
        """Return how many visits are under way, plus one while some are being claimed."""
        return len(self._tasks) + self._claiming

    def _note_change(self) -> None:
        self._changed = True
        self._wake.set()

    def failing(self) -> bool:
        """Return whether more than half of the machines whose use was known miss their visits now."""
        return self.faults.most_fail(self._deps.clock.now())

    async def next_due(self) -> datetime | None:
        """Return when the next visit is due that is not under way. Return None if there is none."""
        if not self._switched_on:
            return None
        async with self._deps.store.read() as tx:
            return await tx.visits.next_due()

    async def run(self) -> None:
        """Run until cancelled. Visits that are under way at that moment are cancelled too: each is due again at
        the next start."""
        try:
            while True:
                self._wake.clear()
                try:
                    due = await self.run_pass()
                except GpubotError as error:
                    log.warning("visits.outage", error=type(error).__name__)
                    await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)
                    continue
                except Exception:
                    # The process must not end: the engine runs in it.
                    log.exception("visits.failed")
                    await self._deps.clock.pause(PAUSE_AFTER_BUG)
                    continue
                await self._deps.clock.sleep_until(due, self._wake)
                await self._deps.clock.pause(PAUSE_BETWEEN_PASSES)
        finally:
            await self._cancel(self._tasks.keys())

    async def run_pass(self) -> datetime | None:
        """Cancel the visits of machines that are no longer ready, and start those that are due. Return when the
        next pass is due. Return None if only the begin or the end of a machine's visits, or of a visit, makes one
        due."""
        if self._stale_claims:
            await self._release_stale_claims()
        due = await self._read()
        free = self._at_once - len(self._tasks)
        if free <= 0:
            return None
        now = self._deps.clock.now()
        if due is None or due > now:
            return due
        self._claiming = True
        try:
            return await self._start_due(now, free)
        finally:
            self._claiming = False

    async def drain(self) -> None:
        """Wait for the visits under way."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _start_due(self, now: datetime, free: int) -> datetime | None:
        try:
            async with self._deps.store.write(durable=False) as tx:
                claimed = await tx.visits.claim(now, self._claimant, free)
        except GpubotError:
            # The claims may have been committed all the same.
            self._stale_claims = True
            raise
        for rental_id in claimed:
            task = asyncio.create_task(self._visit(rental_id))
            self._tasks[rental_id] = task
            task.add_done_callback(partial(self._done, rental_id))
        return now if claimed else None

    async def _release_stale_claims(self) -> None:
        async with self._deps.store.write() as tx:
            await tx.visits.release_all(without=self._tasks.keys())
        self._stale_claims = False

    async def _read(self) -> datetime | None:
        """Cancel the visits of machines that are no longer ready: their addresses may be given to others. Return
        when the next visit is due."""
        changed, self._changed = self._changed, False
        known = {*self._tasks, *self.faults.machines} if changed else set()
        async with self._deps.store.read() as tx:
            due = await tx.visits.next_due() if self._switched_on else None
            ended = known - await tx.visits.ongoing(known) if known else set()
        for rental_id in ended:
            self.faults.forget(rental_id)
        await self._cancel(ended)
        return due

    async def _cancel(self, rental_ids: Collection[str]) -> None:
        tasks = [self._tasks[rental_id] for rental_id in rental_ids if rental_id in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, rental_id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(rental_id, None)
        self._wake.set()

    async def _visit(self, rental_id: str) -> None:
        await self._wait_for_login()
        try:
            outcome = await visit(self._deps, rental_id, self.faults)
        except GpubotError as error:
            log.warning("visit.outage", rental=rental_id, error=type(error).__name__)
        except Exception:
            # The failure of one visit must not stop those of other machines.
            log.exception("visit.failed", rental=rental_id)
        else:
            if outcome is not None:
                self._on_visit(outcome)
            return
        await self._retry_later(rental_id)

    async def _wait_for_login(self) -> None:
        """Wait for this visit's turn."""
        now = self._deps.clock.monotonic()
        turn = max(now, self._next_login)
        self._next_login = turn + self._pause_between_logins
        if turn > now:
            await self._deps.clock.pause(turn - now)

    async def _retry_later(self, rental_id: str) -> None:
        """End the claim, as soon as the store takes it. A row that stays claimed would never be visited again."""
        while True:
            try:
                async with self._deps.store.write() as tx:
                    await tx.visits.defer(rental_id, self._deps.clock.now() + RETRY_FAILED)
                    return
            except GpubotError as error:
                log.warning("visits.not_released", error=type(error).__name__)
                await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)


async def drop_old_samples(deps: StepDeps) -> None:
    """Drop the samples that are older than two days."""
    before = deps.clock.now() - KEEP_SAMPLES
    while True:
        async with deps.store.write() as tx:
            dropped = await tx.samples.drop_before(before, DROP_AT_ONCE)
        if dropped < DROP_AT_ONCE:
            return
