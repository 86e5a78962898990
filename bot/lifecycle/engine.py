"""The engine: claims what is due and runs its step. The only loop; its backoff is `due_at`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from bot.errors import GpubotError, Outage
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports import Claimed, Tx
from bot.lifecycle.step_failures import Failing
from bot.lifecycle.steps.dispatch import step
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.steps.quoting import SharedOffers, find

log = structlog.get_logger()

AT_ONCE = 64
"""How many steps run side by side."""
AFTER_A_BUG = timedelta(minutes=1)
BREATH = 0.02
"""Real seconds between two passes, in which what comes is gathered: nobody sees them, and the passes stay few."""
PAUSE_AFTER_OUTAGE = 1.0
"""Real seconds until the store is asked again after it didn't answer."""
PAUSE_AFTER_BUG = 10.0
"""Real seconds until the next pass after one that a bug ended."""


class Watch(Protocol):
    """Who is told how the engine does."""

    def late(self, seconds: float) -> None:
        """A rental that was due got its turn so much later."""

    def failed(self, what: str) -> None:
        """A bug ended a step: of a rental in that state, of a `quote`, or of the `engine` itself."""


class Unwatched:
    """A Watch that nobody looks at."""

    def late(self, seconds: float) -> None: ...
    def failed(self, what: str) -> None: ...


def _nothing() -> None:
    return


class Engine:
    """Sleeps until the next quote or rental is due or a commit wakes it, then runs what is due, bounded."""

    def __init__(
        self,
        deps: StepDeps,
        *,
        claimant: str,
        at_once: int = AT_ONCE,
        watch: Watch | None = None,
        unsure: bool = False,
    ) -> None:
        """`unsure`: claims of a process before this one may be left."""
        self.deps = deps
        self.passes = 0
        self._claimant = claimant
        self._watch = watch or Unwatched()
        self._at_once = at_once
        self._shared = SharedOffers(deps.market, deps.clock)
        self._failing = Failing(deps)
        self._wake = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], str] = {}
        """What is under way, with the id of its quote or rental."""
        self._since: dict[asyncio.Task[None], datetime] = {}
        self._searches: set[asyncio.Task[None]] = set()
        """Those of quotes. They wait for every vendor, and so leave half of the room to machines."""
        self._claiming = False
        self._unsure = unsure
        """Whether something may be claimed that nobody works on."""
        self.on_outage: Callable[[], None] = _nothing
        """Called whenever the store didn't do what the engine needs."""
        deps.store.on_commit(self._wake.set)

    @property
    def in_flight(self) -> int:
        """How many steps are running, and one more while some are being claimed: these are due no longer, and not
        yet running."""
        return len(self._tasks) + self._claiming

    def under_way(self) -> dict[str, datetime]:
        """The id of each quote and rental whose step is running, and since when in real time."""
        return {of: self._since[task] for task, of in self._tasks.items()}

    async def next_due(self, *, searches: bool = True) -> datetime | None:
        """When the next unclaimed quote or rental is due; without `searches`, the next rental."""
        async with self.deps.store.read() as tx:
            return soonest(await tx.quotes.next_due() if searches else None, await tx.rentals.next_due())

    async def run(self) -> None:
        """Runs until cancelled. What is in flight then goes on until `drain`."""
        while True:
            self._wake.clear()
            try:
                due = await self.turn()
            except GpubotError as error:
                log.warning("engine.outage", error=type(error).__name__)
                self.on_outage()
                await self.deps.clock.pause(PAUSE_AFTER_OUTAGE)
                continue
            except Exception:
                # The process must live on: the overdue deletion runs in it.
                log.exception("engine.failed")
                self._watch.failed("engine")
                await self.deps.clock.pause(PAUSE_AFTER_BUG)
                continue
            await self.deps.clock.sleep_until(due, self._wake)
            await self.deps.clock.pause(BREATH)

    async def turn(self) -> datetime | None:
        """One pass: starts what is due, as far as there is room. Answers until when to sleep."""
        self.passes += 1
        await self._failing.load()
        free = self._at_once - len(self._tasks)
        if free <= 0:
            return None
        if self._unsure:
            await self._forget_claims()
        room = min(free, max(self._at_once // 2, 1) - len(self._searches))
        due = await self.next_due(searches=room > 0)
        now = self.deps.clock.now()
        if due is None or due > now:
            return due
        self._claiming = True
        try:
            return await self._start_due(now, free, room)
        finally:
            self._claiming = False

    async def _start_due(self, now: datetime, free: int, room: int) -> datetime | None:
        try:
            async with self.deps.store.write() as tx:
                quotes = await tx.quotes.claim(now, self._claimant, room) if room > 0 else []
                rentals = await tx.rentals.claim(now, self._claimant, free - len(quotes))
        except GpubotError:
            # It may have been written all the same, and what stays claimed is never looked at again.
            self._unsure = True
            raise
        for quote_id in quotes:
            self._searches.add(self._start(self._find(quote_id), quote_id))
        for rental in rentals:
            if rental.due_at is not None:
                self._watch.late((now - rental.due_at).total_seconds())
            self._start(self._step(rental), rental.id)
        return now if quotes or rentals else None

    async def _forget_claims(self) -> None:
        """All but those of what is under way."""
        async with self.deps.store.write() as tx:
            await tx.quotes.release_all(but=self._tasks.values())
            await tx.rentals.release_all(but=self._tasks.values())
        self._unsure = False

    async def drain(self) -> None:
        """Waits for what is in flight."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _start(self, work: Coroutine[Any, Any, None], of: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks[task] = of
        self._since[task] = self.deps.clock.real()
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._since.pop(task, None)
        self._searches.discard(task)
        self._wake.set()

    async def _step(self, rental: Claimed) -> None:
        try:
            await step(self.deps, rental.id)
        except Exception as error:
            # A failure in one rental's step must not stop the others'; it is tried again.
            number = self._failing.count(rental.id)
            if isinstance(error, Outage):
                log.warning(
                    "step.outage", rental=rental.id, state=rental.state, number=number, error=type(error).__name__
                )
            else:
                log.exception("step.failed", rental=rental.id, state=rental.state, number=number)
                self._watch.failed(rental.state)
            await self._later(rental)
            await self._tell(self._failing.notify(rental))
        else:
            await self._tell(self._failing.worked(rental))

    async def _tell(self, telling: Awaitable[None]) -> None:
        """Notifies people of failures. A failure to do so must not keep a claim."""
        try:
            await telling
        except GpubotError as error:
            log.warning("engine.not_told", error=type(error).__name__)
        except Exception:
            log.exception("engine.not_told")

    async def _later(self, rental: Claimed) -> None:
        async def defer(tx: Tx) -> None:
            await tx.rentals.defer(rental, self.deps.clock.now() + AFTER_A_BUG)

        await self._for_certain(defer)

    async def _for_certain(self, write: Callable[[Tx], Awaitable[None]]) -> None:
        """Ends a claim however long the store is away: what stays claimed is never looked at again."""
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
                await find(self.deps, self._shared, quote)
            return
        except Outage as outage:
            log.warning("quote.outage", quote=quote_id, error=type(outage).__name__)
        except Exception:
            log.exception("quote.failed", quote=quote_id)
            self._watch.failed("quote")

        async def defer(tx: Tx) -> None:
            await tx.quotes.defer(quote_id, self.deps.clock.now() + AFTER_A_BUG)

        await self._for_certain(defer)
