"""Claims the quotes and rentals that are due, and runs their steps. A step retries by setting `due_at`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from bot.errors import GpubotError, Outage
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.step_failures import StepFailures
from bot.lifecycle.ports.records import Claimed
from bot.lifecycle.ports.store import Tx, Written
from bot.lifecycle.steps.dispatch import step
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.steps.quoting import SharedOffers, find

log = structlog.get_logger()

AT_ONCE = 64
"""How many steps run at the same time."""
RETRY_FAILED = timedelta(minutes=1)
"""How long after a failed step it is run again."""
PAUSE_BETWEEN_PASSES = 0.02
"""Real seconds. Without it, each of many commits in a row would cause a pass of its own."""
PAUSE_AFTER_OUTAGE = 1.0
"""Real seconds until the store is tried again."""
PAUSE_AFTER_BUG = 10.0
"""Real seconds until the next pass."""


class Watch(Protocol):
    """Receives figures about the engine (metrics)."""

    def late(self, seconds: float) -> None:
        """A step was started this many seconds after it was due."""

    def failed(self, what: str) -> None:
        """A step failed with a bug. `what` is the rental's state, `quote`, or `engine` for a pass of the
        engine."""


class Unwatched:
    """A Watch that ignores all figures."""

    def late(self, seconds: float) -> None: ...
    def failed(self, what: str) -> None: ...


def _ignore() -> None:
    return


class Engine:
    """Sleeps until a quote or rental is due or a commit wakes it, then runs the due steps, `at_once` at most."""

    def __init__(
        self,
        deps: StepDeps,
        *,
        claimant: str,
        at_once: int = AT_ONCE,
        watch: Watch | None = None,
        stale_claims: bool = False,
    ) -> None:
        """`stale_claims`: an earlier process may have left claims that nobody works on."""
        self.deps = deps
        self.passes = 0
        self._claimant = claimant
        self._watch = watch or Unwatched()
        self._at_once = at_once
        self._shared_offers = SharedOffers(deps.market, deps.clock)
        self._failures = StepFailures(deps)
        self._wake = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], str] = {}
        """The running steps, each with the id of its quote or rental."""
        self._started_at: dict[asyncio.Task[None], datetime] = {}
        """When each of them started, in real time."""
        self._searches: set[asyncio.Task[None]] = set()
        """The running steps of quotes. At most half of `at_once`: a search waits for every vendor, and must not
        keep the steps of rentals from running."""
        self._claiming = False
        self._stale_claims = stale_claims
        """Whether the store may hold claims that nobody works on."""
        self.on_outage: Callable[[], None] = _ignore
        """Called after each failure of the store."""
        deps.store.on_commit(self._wake.set, Written.WORK)

    @property
    def in_flight(self) -> int:
        """Return how many steps are running, plus one while some are being claimed: the store no longer reports
        those as due, and they don't run yet."""
        return len(self._tasks) + self._claiming

    def under_way(self) -> dict[str, datetime]:
        """Return the ids of the quotes and rentals whose steps are running, and when each step started (real
        time)."""
        return {key: self._started_at[task] for task, key in self._tasks.items()}

    async def next_due(self, *, searches: bool = True) -> datetime | None:
        """Return when the next unclaimed quote or rental is due. If `searches` is false, ignore quotes."""
        async with self.deps.store.read() as tx:
            return soonest(await tx.quotes.next_due() if searches else None, await tx.rentals.next_due())

    async def run(self) -> None:
        """Run until cancelled. Steps that run at that moment go on; `drain` waits for them."""
        while True:
            self._wake.clear()
            try:
                due = await self.run_pass()
            except GpubotError as error:
                log.warning("engine.outage", error=type(error).__name__)
                self.on_outage()
                await self.deps.clock.pause(PAUSE_AFTER_OUTAGE)
                continue
            except Exception:
                # The process must not end: the overdue deletion runs in it.
                log.exception("engine.failed")
                self._watch.failed("engine")
                await self.deps.clock.pause(PAUSE_AFTER_BUG)
                continue
            await self.deps.clock.sleep_until(due, self._wake)
            await self.deps.clock.pause(PAUSE_BETWEEN_PASSES)

    async def run_pass(self) -> datetime | None:
        """Start the due steps, up to `at_once` at the same time. Return when the next pass is due, or None if only
        a commit or the end of a step makes one due."""
        self.passes += 1
        await self._failures.load()
        free = self._at_once - len(self._tasks)
        if free <= 0:
            return None
        if self._stale_claims:
            await self._release_stale_claims()
        search_slots = min(free, max(self._at_once // 2, 1) - len(self._searches))
        due = await self.next_due(searches=search_slots > 0)
        now = self.deps.clock.now()
        if due is None or due > now:
            return due
        self._claiming = True
        try:
            return await self._start_due(now, free, search_slots)
        finally:
            self._claiming = False

    async def _start_due(self, now: datetime, free: int, search_slots: int) -> datetime | None:
        """Claim and start what is due. Return `now` if there was something, as more may be due."""
        try:
            async with self.deps.store.write(durable=False) as tx:
                quotes = await tx.quotes.claim(now, self._claimant, search_slots) if search_slots > 0 else []
                rentals = await tx.rentals.claim(now, self._claimant, free - len(quotes))
        except GpubotError:
            # The claims may have been committed all the same. A row that stays claimed would never be stepped
            # again.
            self._stale_claims = True
            raise
        for quote_id in quotes:
            self._searches.add(self._start(self._find(quote_id), quote_id))
        for rental in rentals:
            if rental.due_at is not None:
                self._watch.late((now - rental.due_at).total_seconds())
            self._start(self._step(rental), rental.id)
        return now if quotes or rentals else None

    async def _release_stale_claims(self) -> None:
        """Release all claims except those of running steps."""
        async with self.deps.store.write() as tx:
            await tx.quotes.release_all(without=self._tasks.values())
            await tx.rentals.release_all(without=self._tasks.values())
        self._stale_claims = False

    async def drain(self) -> None:
        """Wait for the running steps."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _start(self, step: Coroutine[Any, Any, None], key: str) -> asyncio.Task[None]:
        task = asyncio.create_task(step)
        self._tasks[task] = key
        self._started_at[task] = self.deps.clock.real()
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._started_at.pop(task, None)
        self._searches.discard(task)
        self._wake.set()

    async def _step(self, rental: Claimed) -> None:
        try:
            await step(self.deps, rental.id)
        except Exception as error:
            # A failure of one rental's step must not stop the steps of others.
            number = self._failures.count(rental.id)
            if isinstance(error, Outage):
                log.warning(
                    "step.outage", rental=rental.id, state=rental.state, number=number, error=type(error).__name__
                )
            else:
                log.exception("step.failed", rental=rental.id, state=rental.state, number=number)
                self._watch.failed(rental.state)
            await self._retry_later(rental)
            await self._notify(self._failures.notify(rental))
        else:
            await self._notify(self._failures.end_run(rental))

    async def _notify(self, notifying: Awaitable[None]) -> None:
        """Notify people of failed steps. If that fails too, the step's claim must still end."""
        try:
            await notifying
        except GpubotError as error:
            log.warning("engine.not_notified", error=type(error).__name__)
        except Exception:
            log.exception("engine.not_notified")

    async def _retry_later(self, rental: Claimed) -> None:
        async def defer(tx: Tx) -> None:
            await tx.rentals.defer(rental, self.deps.clock.now() + RETRY_FAILED)

        await self._write_until_done(defer)

    async def _write_until_done(self, write: Callable[[Tx], Awaitable[None]]) -> None:
        """Retry a write that ends a claim until the store takes it. A row that stays claimed would never be
        stepped again."""
        while True:
            try:
                async with self.deps.store.write() as tx:
                    return await write(tx)
            except GpubotError as error:
                log.warning("engine.not_released", error=type(error).__name__)
                self.on_outage()
                await self.deps.clock.pause(PAUSE_AFTER_OUTAGE)

    async def _find(self, quote_id: str) -> None:
        try:
            async with self.deps.store.read() as tx:
                quote = await tx.quotes.get(quote_id)
            if quote is not None:
                await find(self.deps, self._shared_offers, quote)
            return
        except Outage as outage:
            log.warning("quote.outage", quote=quote_id, error=type(outage).__name__)
        except Exception:
            log.exception("quote.failed", quote=quote_id)
            self._watch.failed("quote")

        async def defer(tx: Tx) -> None:
            await tx.quotes.defer(quote_id, self.deps.clock.now() + RETRY_FAILED)

        await self._write_until_done(defer)
