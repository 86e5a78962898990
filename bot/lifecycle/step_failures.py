"""Rentals whose step fails again and again: the owner and the admins are notified, and again once it works.

What people were told is kept in the store, so that a restart neither repeats it nor forgets to say that it works.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pydantic import TypeAdapter

from bot.errors import bug_number
from bot.lifecycle.account import send_notices
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports import Claimed
from bot.model.base import Frozen, Instant, changed
from bot.model.event import Event, EventKind, Facts
from bot.policy.leases import overdue_at

IN_A_ROW = 3
"""How many failed steps in a row people are told of."""
TELL_AGAIN = timedelta(hours=2)
_FACT = "failing_steps"


class Run(Frozen):
    """Failed steps of one rental without one that worked in between."""

    number: str
    """In the log and in what people read."""
    count: int = 0
    told_at: Instant | None = None


_RUNS = TypeAdapter(dict[str, Run])


class Failing:
    """Counts each rental's failed steps in a row. A failure counts whatever ended the step: a bug, or an outage
    although the store took writes in between."""

    def __init__(self, deps: StepDeps) -> None:
        self._deps = deps
        self._runs: dict[str, Run] = {}
        self._loaded = False
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Reads, once, what people were told before the last restart. Raises StoreBusy."""
        if self._loaded:
            return
        async with self._deps.store.read() as tx:
            said = await tx.account.get(_FACT)
        self._runs = {**(_RUNS.validate_json(said) if said else {}), **self._runs}
        self._loaded = True

    def count(self, rental_id: str) -> str:
        """Counts a failed step and returns the number of its run."""
        run = self._runs.get(rental_id) or Run(number=bug_number())
        self._runs[rental_id] = changed(run, count=run.count + 1)
        return run.number

    async def notify(self, rental: Claimed) -> None:
        """Tells people of a run of failures that is long enough. Raises StoreBusy; the next one tries again."""
        run, now = self._runs[rental.id], self._deps.clock.now()
        if run.count < IN_A_ROW or (run.told_at is not None and now - run.told_at < TELL_AGAIN):
            return
        facts = Facts(
            name=rental.id,
            number=run.number,
            count=run.count,
            until=overdue_at(rental.ends_at, rental.accepted_at, self._deps.rules),
        )
        self._runs[rental.id] = changed(run, told_at=now)
        try:
            await self._tell(rental, EventKind.STEP_FAILED, facts)
        except BaseException:
            self._runs[rental.id] = run
            raise

    async def worked(self, rental: Claimed) -> None:
        """Ends a run of failures, and says so if people were told of it. Raises StoreBusy; the next step that
        works tries again."""
        run = self._runs.pop(rental.id, None)
        if run is None or run.told_at is None:
            return
        try:
            await self._tell(rental, EventKind.STEP_WORKS, Facts(name=rental.id, number=run.number))
        except BaseException:
            self._runs[rental.id] = run
            raise

    async def _tell(self, rental: Claimed, kind: EventKind, facts: Facts) -> None:
        event = Event(rental_id=rental.id, kind=kind, at=self._deps.clock.now(), facts=facts)
        # One at a time: each writes what was told of all rentals.
        async with self._turn, self._deps.store.write() as tx:
            told = {rental_id: run for rental_id, run in self._runs.items() if run.told_at is not None}
            await tx.account.set(_FACT, _RUNS.dump_json(told).decode() if told else None)
            await send_notices(tx, self._deps, event, rental.owner)
