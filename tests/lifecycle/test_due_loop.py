"""Claims of the loops: no row is worked on twice at a time, and nothing is bought or deleted twice.

This also holds if a process hangs for longer than its claims last and another process continues its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text
from typing_extensions import override

from bot.clock import MovedClock
from bot.errors import StoreBusy
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.probe_runs import ProbeRuns
from bot.model.attempt import AttemptState
from bot.model.records import Claimed
from bot.model.rental import Rental
from bot.model.state import State
from store.claims import DueTable
from store.db import Database, Tx, Written
from tests.databases import START, beside
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.engine import Engine
from tests.lifecycle.world import HOUR, MINUTE, PROBE, World, world
from tests.store import make

LASTS = 1.0
"""The duration of a claim in wall-clock seconds."""


class Journal:
    """Records which rows are worked on, for several loops over one database."""

    def __init__(self) -> None:
        self.working: set[str] = set()
        self.begun: list[str] = []
        self.twice: list[str] = []
        """The rows that were worked on twice at the same time."""


class Loop(DueLoop[Claimed]):
    """Works on quotes. Once `gate` is set, the quote is postponed by an hour."""

    name = "test"
    written = Written.QUOTES
    retry = MINUTE

    def __init__(self, database: Database, clock: MovedClock, journal: Journal | None = None) -> None:
        deps = cast(StepDeps, SimpleNamespace(store=database, clock=clock, in_force=None, may_claim=lambda: True))
        super().__init__(deps, at_once=4, claim_seconds=LASTS)
        self.journal = journal or Journal()
        self.gate = asyncio.Event()
        self.claims: dict[str, Callable[[], bool]] = {}

    @override
    def rows(self, tx: Tx) -> DueTable[Claimed]:
        return tx.quotes

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        self.claims[row.id] = claim_lasts
        if row.id in self.journal.working:
            self.journal.twice.append(row.id)
        self.journal.working.add(row.id)
        self.journal.begun.append(row.id)
        await self.gate.wait()
        self.journal.working.discard(row.id)
        async with self.deps.store.write() as tx:
            await tx.quotes.defer(row, self.deps.clock.now() + HOUR)

    @override
    async def failed(self, row: Claimed, error: Exception) -> None:
        raise error


@asynccontextmanager
async def running(*loops: Loop) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    yield
    for task in tasks:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for loop in loops:
        loop.gate.set()
        await loop.drain()


async def add(database: Database, *quote_ids: str) -> None:
    async with database.write() as tx:
        for quote_id in quote_ids:
            await tx.quotes.add(make.quote(quote_id, due_at=START))


async def due_at(database: Database, quote_id: str) -> datetime | None:
    async with database.read() as tx:
        quote = await tx.quotes.get(quote_id)
    assert quote is not None
    return quote.due_at


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - a loop of the bot has no event for each of its turns
            await asyncio.sleep(0.01)


async def test_a_pass_is_due_after_a_commit_or_at_a_due_time(database: Database, clock: MovedClock) -> None:
    loop = Loop(database, clock)
    loop.gate.set()
    assert not loop.pass_is_due()
    await add(database, "q1")
    assert loop.pass_is_due()
    await loop.run_pass()
    await loop.drain()
    loop._wake.clear()
    assert await loop.run_pass() == START + HOUR
    assert not loop.pass_is_due()
    clock.jump(HOUR)
    assert loop.pass_is_due()
    await loop.run_pass()
    await loop.drain()
    assert loop.journal.begun == ["q1", "q1"]


async def test_running_work_keeps_its_claim_even_if_the_clock_moves(database: Database, clock: MovedClock) -> None:
    """A second process tries to claim the same rows."""
    journal = Journal()
    loops = [Loop(database, clock, journal), Loop(beside(database), clock, journal)]
    await add(database, *(f"q{n}" for n in range(6)))
    async with running(*loops):
        await until(lambda: len(journal.begun) == 6)
        clock.jump(MINUTE)
        await asyncio.sleep(2 * LASTS)
        clock._base -= MINUTE
        await asyncio.sleep(LASTS)
        assert sorted(journal.begun) == sorted(journal.working) == [f"q{n}" for n in range(6)]
        for loop in loops:
            loop.gate.set()
        await until(lambda: not journal.working)
    assert journal.twice == []
    assert len(journal.begun) == 6


async def test_a_stalled_process_reclaims_a_row_only_after_its_own_work(
    database: Database, clock: MovedClock
) -> None:
    """While the process was stalled, another one claimed the row and worked on it."""
    stopped, other = Loop(database, clock), Loop(beside(database), clock)
    await add(database, "q1")
    await stopped.run_pass()
    await until(lambda: stopped.claims)
    assert stopped.claims["q1"]()
    await asyncio.sleep(LASTS)
    assert not stopped.claims["q1"]()
    # The other process claims the row and does the work.
    await other.run_pass()
    other.gate.set()
    await other.drain()
    assert await due_at(database, "q1") == START + HOUR
    # The first process continues, and the row is due again. Its old work is still running, without a claim.
    clock.jump(HOUR)
    for _ in range(3):
        await stopped.run_pass()
        assert (stopped.journal.begun, stopped.in_flight) == (["q1"], 1)
        assert not stopped.claims["q1"]()
    stopped.gate.set()
    await stopped.drain()
    await stopped.run_pass()
    await stopped.drain()
    assert stopped.journal.begun == ["q1", "q1"]


class EndsSlowly(Loop):
    """Makes its row due again immediately, but ends only once `gate` is set."""

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        self.journal.begun.append(row.id)
        async with self.deps.store.write() as tx:
            await tx.quotes.defer(row, self.deps.clock.now())
        self.claims[row.id] = claim_lasts
        await self.gate.wait()


async def test_a_row_due_again_during_its_work_is_claimed_right_afterwards(
    database: Database, clock: MovedClock
) -> None:
    loop = EndsSlowly(database, clock)
    await add(database, "q1")
    await loop.run_pass()
    await until(lambda: loop.claims)
    await loop.run_pass()
    assert await loop.next_due() == START, "it must not be claimed while nobody begins to work on it"
    loop.gate.set()
    await loop.drain()
    await loop.run_pass()
    await loop.drain()
    assert loop.journal.begun == ["q1", "q1"]


async def test_an_expired_claim_that_nobody_took_is_renewed(database: Database, clock: MovedClock) -> None:
    stopped = Loop(database, clock)
    await add(database, "q1")
    await stopped.run_pass()
    await until(lambda: stopped.claims)
    await asyncio.sleep(LASTS)
    await stopped.run_pass()
    assert stopped.claims["q1"]()
    assert await Loop(beside(database), clock).next_due() is None
    stopped.gate.set()
    await stopped.drain()
    assert stopped.journal.begun == ["q1"]


@asynccontextmanager
async def locked(database: Database) -> AsyncIterator[None]:
    """Let another connection hold the lock that every write of a quote needs."""
    async with database.engines.reader.connect() as conn:
        if conn.dialect.name == "postgresql":
            raw: Any = (await conn.get_raw_connection()).driver_connection
            await raw.execute("BEGIN")
            await raw.execute("LOCK TABLE quotes IN SHARE ROW EXCLUSIVE MODE")
            yield
            await raw.execute("ROLLBACK")
        else:
            await conn.execute(text("PRAGMA query_only = OFF"))
            await conn.rollback()
            raw = (await conn.get_raw_connection()).driver_connection
            await raw.execute("BEGIN IMMEDIATE")
            yield
            await raw.execute("ROLLBACK")
            await raw.execute("PRAGMA query_only = ON")


@pytest.mark.usefixtures("logs")
async def test_work_survives_a_database_locked_longer_than_its_claim(
    database: Database, clock: MovedClock
) -> None:
    """The work isn't done twice."""
    loop = Loop(database, clock)
    await add(database, "q1")
    async with running(loop):
        await until(lambda: loop.claims)
        async with locked(database):
            await asyncio.sleep(2 * LASTS)
            assert not loop.claims["q1"]()
        await until(loop.claims["q1"])
        assert loop.journal.begun == ["q1"]
        loop.gate.set()
        await until(lambda: not loop.in_flight)
    assert loop.journal.begun == ["q1"]
    assert await due_at(database, "q1") == START + HOUR


# --- purchases and deletions by the bot's own steps


@pytest.fixture
async def both(url: str) -> AsyncIterator[World]:
    """Yield a world on each database, with claims that last LASTS. After the test, check the invariants."""
    async with world(url, probe_line=PROBE) as here:
        yield here
        await check(here)
        await check_delivered(here)


class Hangs:
    """A call in which a process hangs until `goes_on` is set."""

    def __init__(self) -> None:
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.goes_on.wait()


def second(here: World) -> StepDeps:
    """Return the dependencies of a second process on the same database."""
    return replace(here.deps, store=beside(here.database))


async def hang_and_let_another_go_on(here: World, deps: StepDeps, hangs: Hangs) -> None:
    """Let the step of one process hang until another process has claimed the row and finished its step.

    Then the first process continues to the end of its step.
    """
    stopped, other = Engine(deps, claim_seconds=LASTS), Engine(second(here))
    await stopped.run_pass()
    async with asyncio.timeout(20):
        await hangs.reached.wait()
    await other.run_pass()
    assert other.in_flight == 0, "the claim lasts"
    await asyncio.sleep(LASTS)
    await other.run_pass()
    assert other.in_flight == 1
    await other.drain()
    hangs.goes_on.set()
    await stopped.drain()
    here.restart(other.deps)


class HangingDirectory:
    """A directory in which a step hangs just before it decides what to buy."""

    def __init__(self, hangs: Hangs) -> None:
        self._hangs = hangs

    async def refresh(self, _: object) -> None:
        await self._hangs()

    async def ask_anew(self, _: str) -> bool:
        return True

    async def members(self, _: str) -> None:
        return None


@pytest.mark.usefixtures("logs")
async def test_a_process_that_hung_before_its_intent_buys_nothing(both: World) -> None:
    here, hangs = both, Hangs()
    rental = await here.rent(await here.ask(), settle=False)
    await hang_and_let_another_go_on(here, replace(here.deps, directory=HangingDirectory(hangs)), hangs)
    await here.until(rental, State.READY)
    assert len(await here.calls("procure_offer")) == 1
    assert len(await here.attempts(rental)) == 1


class HangingStore:
    """A store in which a step hangs just after it has committed the intent of an attempt."""

    def __init__(self, here: World, rental: Rental, hangs: Hangs) -> None:
        self._here, self._rental, self._hangs = here, rental, hangs
        self._store = here.deps.store
        self.read = self._store.read
        self.on_commit = self._store.on_commit
        self.takes_writes = self._store.takes_writes

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[Tx]:
        async with self._store.write(durable=durable) as tx:
            yield tx
        if [one.state for one in await self._here.attempts(self._rental)] == [AttemptState.INTENDED]:
            await self._hangs()


@pytest.mark.usefixtures("logs")
async def test_a_process_that_hung_after_its_intent_makes_no_call(both: World) -> None:
    here, hangs = both, Hangs()
    rental = await here.rent(await here.ask(), settle=False)
    await hang_and_let_another_go_on(
        here, replace(here.deps, store=cast(Database, HangingStore(here, rental, hangs))), hangs
    )
    assert await here.calls("procure_offer") == []
    await here.until(rental, State.READY)
    assert len(await here.calls("procure_offer")) == 1
    first, bought = await here.attempts(rental)
    assert (first.state, bought.state) == (AttemptState.FAILED, AttemptState.BOUGHT)


class HangingMarket:
    """A market in which a step hangs after it has looked up the resources that it is going to delete."""

    def __init__(self, here: World, hangs: Hangs) -> None:
        self._market, self._hangs = here.deps.market, hangs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    async def resources(self, offer_id: str) -> Any:
        found = await self._market.resources(offer_id)
        await self._hangs()
        return found


@pytest.mark.usefixtures("logs")
async def test_a_process_that_hung_before_its_deletion_deletes_nothing(both: World) -> None:
    here, hangs = both, Hangs()
    rental = await here.ready()
    await here.destroy(rental, settle=False)
    market = cast(Any, HangingMarket(here, hangs))
    await hang_and_let_another_go_on(here, replace(here.deps, market=market), hangs)
    assert len(await here.calls("delete_resource")) == 1
    await here.until(rental, State.DESTROYED)
    assert len(await here.calls("delete_resource")) == 1


@pytest.mark.usefixtures("logs")
async def test_a_hung_probe_run_writes_nothing_after_another_process_took_over(both: World) -> None:
    here = both
    rental = await here.ready()
    before = len(await here.samples(rental))
    stopped, other = ProbeRuns(here.deps, claim_seconds=LASTS), ProbeRuns(second(here))
    machine = here.machines[rental]
    machine.hold()
    here.jump(2 * MINUTE)
    await stopped.run_pass()
    await machine.arrived.wait()
    await asyncio.sleep(LASTS)
    await other.run_pass()
    assert (stopped.in_flight, other.in_flight) == (1, 1)
    machine.release()
    await stopped.drain()
    await other.drain()
    assert len(await here.samples(rental)) == before + 1
    await here.settle()


async def test_a_database_that_accepts_no_writes_does_not_stop_a_loop(
    database: Database, clock: MovedClock
) -> None:
    loop = Loop(database, clock)
    await add(database, "q1")
    async with locked(database):
        with suppress(StoreBusy):
            await loop.run_pass()
        assert loop.in_flight == 0
    await loop.run_pass()
    loop.gate.set()
    await loop.drain()
    assert loop.journal.begun == ["q1"]


async def test_a_row_claimed_by_another_process_counts_as_due(database: Database, clock: MovedClock) -> None:
    """Waiting until all work is done includes this row, because the other process may have died."""
    died, waits = Loop(database, clock), Loop(beside(database), clock)
    await add(database, "q1")
    await died.run_pass()
    assert await waits.next_due() is None
    async with database.read() as tx:
        assert await died.first_due(tx) is None, "it works on it itself"
        assert await waits.first_due(tx) == START
    died.gate.set()
    await died.drain()
