"""The loops that run the steps of rentals and the searches of quotes when they are due.

A step is the code that advances a rental. A quote is a search that is stored together with its offers. Quotes and
rentals have separate loops, because a search waits for all vendors, and must not delay the steps of rentals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from typing_extensions import override

from bot.errors import ClaimLost, GpubotError, Outage, StoreBusy
from bot.lifecycle.changes.snapshot import RentalSnapshot, load, load_many
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.running import ignore
from bot.lifecycle.loops.step_failures import StepFailures
from bot.lifecycle.steps.dispatch import step
from bot.lifecycle.steps.quoting import find
from bot.lifecycle.steps.shared_offers import SharedOffers
from bot.model.attempt import Resource
from bot.model.records import Claimed, ClaimedRental
from bot.model.rental import Rental
from store.claims import DueTable
from store.db import Tx, Written

log = structlog.get_logger()

AT_ONCE = 64
"""The number of steps that run at the same time. Half as many searches run at the same time."""
RETRY_FAILED = timedelta(minutes=1)
"""The delay after which a failed step runs again."""
GATHER = 0.05
"""The wall-clock seconds for which `DueTimes` collects writes before it writes them in one transaction."""


@dataclass(eq=False, repr=False)
class Steps(DueLoop[ClaimedRental]):
    """The loop that advances each rental when its next step is due."""

    name = "engine"
    counted_as = "steps_in_flight"
    written = Written.RENTALS
    retry = RETRY_FAILED

    at_once: int = field(default=AT_ONCE, kw_only=True)
    on_late: Callable[[float], None] = field(default=ignore, kw_only=True)
    """Called when a step starts, with the number of seconds by which the step is late."""
    _snapshots: dict[str, RentalSnapshot] = field(default_factory=dict, init=False)
    """The snapshots of rentals whose step hasn't started yet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._failures = StepFailures(self.deps)
        self._due_times = DueTimes(self.deps)

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {**await super().figures(), "engine_passes": self.passes}

    @override
    def rows(self, tx: Tx) -> DueTable[ClaimedRental]:
        return tx.rentals

    @override
    async def load(self, tx: Tx, rows: Sequence[ClaimedRental]) -> None:
        self._snapshots = {}
        try:
            self._snapshots = await load_many(tx, [row.id for row in rows])
        except GpubotError:
            raise
        except Exception as error:
            # All rentals were loaded together, and one of them can't be loaded. Let each step load its rental
            # itself, so that only the step of the damaged rental fails.
            log.warning("engine.not_loaded_together", error=type(error).__name__)

    @override
    async def before_pass(self) -> None:
        await self._failures.load()

    @override
    def started(self, row: ClaimedRental, now: datetime) -> None:
        self.on_late((now - row.due_at).total_seconds())

    @override
    async def work(self, row: ClaimedRental, claim_lasts: Callable[[], bool]) -> None:
        snapshot = self._snapshots.pop(row.id, None) or await load(self.deps, row.id)
        if snapshot is not None:
            await step(
                replace(self.deps, claim_lasts=claim_lasts, claimed=row.id), snapshot, self._due_times.write
            )
        await self._notify(self._failures.end_run(row))

    @override
    async def failed(self, row: ClaimedRental, error: Exception) -> None:
        if isinstance(error, StoreBusy | ClaimLost):
            # The database failed, and not the step of this rental, so don't count this error as a failure of the
            # step. If the database stays unavailable, a separate self-check alerts the admins.
            log.warning("step.outage", rental=row.id, state=row.state, error=type(error).__name__)
            self.on_outage()
            return
        number = self._failures.count(row.id)
        if isinstance(error, Outage):
            log.warning("step.outage", rental=row.id, state=row.state, number=number, error=type(error).__name__)
        else:
            log.error("step.failed", rental=row.id, state=row.state, number=number, exc_info=error)
            self.on_bug(row.state)
        await self._notify(self._failures.notify(row))

    async def _notify(self, notifying: Awaitable[None]) -> None:
        """Notify people of failed steps. Errors are logged instead of raised."""
        try:
            await notifying
        except GpubotError as error:
            log.warning("engine.not_notified", error=type(error).__name__)
        except Exception:
            log.exception("engine.not_notified")


class DueTimes:
    """Writes the times at which rentals are next due, several in one transaction.

    A step is the code that advances a rental. If a step has changed only the due time and the times at which
    resources were read, it uses this class. The transaction also ends the step's claim, that is, the process's
    right to work on the rental.
    """

    def __init__(self, deps: StepDeps) -> None:
        self._deps = deps
        self._waiting: list[tuple[Rental, datetime | None]] = []
        self._read_again: list[Resource] = []
        self._writing: asyncio.Task[None] | None = None
        """The next write. It will include everything that is waiting now."""

    async def write(self, rental: Rental, due_at: datetime | None, resources: Sequence[Resource]) -> None:
        """Store the time at which a rental is next due, and end the claim on the rental.

        Raises StoreBusy if the store doesn't accept the write.
        """
        self._waiting.append((rental, due_at))
        self._read_again += resources
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting())
        await asyncio.shield(self._writing)

    async def _write_waiting(self) -> None:
        await self._deps.clock.pause(GATHER)
        waiting, read_again = self._waiting, self._read_again
        self._waiting, self._read_again, self._writing = [], [], None
        # The database needn't wait until this write is on the disk. If a power cut loses the write, the steps of
        # these rentals are simply repeated.
        async with self._deps.store.write(durable=False) as tx:
            await tx.rentals.defer_all(waiting)
            await tx.rentals.note_read(read_again)


@dataclass(eq=False, repr=False)
class Searches(DueLoop[Claimed]):
    """The loop that searches the market for offers, for each quote whose search is due."""

    name = "searches"
    counted_as = "steps_in_flight"
    written = Written.QUOTES
    logged_as = "quote", "quote"
    retry = RETRY_FAILED

    at_once: int = field(default=AT_ONCE // 2, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._shared_offers = SharedOffers(self.deps.market, self.deps.clock)

    @override
    def rows(self, tx: Tx) -> DueTable[Claimed]:
        return tx.quotes

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        async with self.deps.store.read() as tx:
            quote = await tx.quotes.get(row.id)
        if quote is not None:
            await find(self.deps, self._shared_offers, quote)

    @override
    def failed_with_bug(self) -> None:
        self.on_bug("engine")
