"""Claims: a due row has one holder at a time, longest due first, until the claim is released or expires."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.model.records import Claimed
from bot.model.request import OfferQuery
from bot.model.state import State
from store.claims import DueTable
from store.db import Database, Tx
from tests.databases import START, beside
from tests.store import make

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
LONG = 3600.0
SHORT = 0.2
"""The duration of a claim in seconds (wall clock)."""


async def a_rental(database: Database, row_id: str, due_at: datetime | None) -> None:
    await make.store_rental(database, make.rental(row_id, due_at=due_at))


async def a_quote(database: Database, row_id: str, due_at: datetime | None) -> None:
    async with database.write() as tx:
        await tx.quotes.add(make.quote(row_id, due_at=due_at))


async def a_probe_run(database: Database, row_id: str, due_at: datetime | None) -> None:
    starting = await make.store_rental(database, make.rental(row_id, state=State.PROVISIONING))
    after = make.next_of(starting, state=State.READY, lease=make.lease())
    async with database.write() as tx:
        await tx.rentals.apply(make.unchecked(starting, after))
        if due_at is None:
            await tx.probe_runs.end(row_id)
        else:
            await tx.probe_runs.make_due(row_id, due_at)


async def a_search(database: Database, row_id: str, due_at: datetime | None) -> None:
    async with database.write() as tx:
        if due_at is not None:
            await tx.searches.open(row_id, OfferQuery(gpu="H100"), due_at)


@dataclass(frozen=True)
class Kind:
    """A table that a loop works through."""

    rows: Callable[[Tx], DueTable[Any]]
    add: Callable[[Database, str, datetime | None], Awaitable[None]]


KINDS = {
    "rentals": Kind(lambda tx: tx.rentals, a_rental),
    "quotes": Kind(lambda tx: tx.quotes, a_quote),
    "searches": Kind(lambda tx: tx.searches, a_search),
    "visits": Kind(lambda tx: tx.probe_runs, a_probe_run),
}


@pytest.fixture(params=KINDS)
def due(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


async def claim(database: Database, due: Kind, limit: int = 9, seconds: float = LONG) -> list[Claimed]:
    async with database.write() as tx:
        return await due.rows(tx).claim(START, limit, seconds)


def ids(claimed: list[Claimed]) -> list[str]:
    return [one.id for one in claimed]


async def next_due(database: Database, due: Kind) -> datetime | None:
    async with database.read() as tx:
        return await due.rows(tx).next_due()


async def test_two_concurrent_claimants_never_get_the_same_row(database: Database, due: Kind) -> None:
    for n in range(30):
        await due.add(database, f"r{n:02}", START - n * SECOND)

    # On PostgreSQL, the first two claims are both made before either is committed. SQLite allows one at a time.
    both = asyncio.Barrier(1 if database.engines.writer.dialect.name == "sqlite" else 2)

    async def claim_all(claimant: Database) -> list[str]:
        mine: list[str] = []
        while True:
            async with claimant.write() as tx:
                claimed = await due.rows(tx).claim(START, 7, LONG)
                if not mine:
                    await both.wait()
            if not claimed:
                return mine
            mine += ids(claimed)

    first, second = await asyncio.gather(claim_all(database), claim_all(beside(database)))
    assert sorted(first + second) == sorted(f"r{n:02}" for n in range(30))
    assert first
    assert second


async def test_the_row_that_has_been_due_longest_is_claimed_first(database: Database, due: Kind) -> None:
    """Rows that aren't due are never claimed."""
    for name, due_in in (("later", 1), ("now", 0), ("older", -9), ("old", -5)):
        await due.add(database, name, START + due_in * SECOND)
    await due.add(database, "done", None)
    assert ids(await claim(database, due, 2)) == ["older", "old"]
    assert await next_due(database, due) == START
    assert ids(await claim(database, due)) == ["now"]
    assert await next_due(database, due) == START + SECOND


async def test_after_another_process_took_an_expired_claim_the_first_changes_nothing(
    database: Database, due: Kind
) -> None:
    other = beside(database)
    await due.add(database, "k7mq2", START)
    (row,) = await claim(database, due, seconds=SHORT)
    assert await claim(other, due) == []
    await asyncio.sleep(SHORT)
    assert await next_due(other, due) == START
    assert ids(await claim(other, due)) == ["k7mq2"]
    async with database.write() as tx:
        assert await due.rows(tx).renew(["k7mq2"], LONG) == set()
        await due.rows(tx).defer(row, START - HOUR)
        if due is not KINDS["visits"]:
            await (tx.rentals if due is KINDS["rentals"] else tx.quotes).release("k7mq2")
    assert await next_due(database, due) is None
    async with other.write() as tx:
        await due.rows(tx).defer(row, START + SECOND)
    assert await next_due(database, due) == START + SECOND


async def test_a_renewed_claim_stays_valid(database: Database, due: Kind) -> None:
    for name in ("kept", "left"):
        await due.add(database, name, START)
    await claim(database, due, seconds=SHORT)
    async with database.write() as tx:
        assert await due.rows(tx).renew(["kept"], LONG) == {"kept"}
    await asyncio.sleep(SHORT)
    assert ids(await claim(beside(database), due)) == ["left"]


async def test_a_claim_expires_by_wall_clock_time_however_bot_time_moves(
    database: Database, due: Kind, clock: MovedClock
) -> None:
    await due.add(database, "k7mq2", START)
    await claim(database, due)
    clock.jump(24 * HOUR)
    async with beside(database).write() as tx:
        assert await due.rows(tx).claim(clock.now(), 9, LONG) == []


async def test_a_start_ends_earlier_claims_on_sqlite_but_not_on_postgresql(
    url: str, clock: MovedClock, due: Kind
) -> None:
    """On PostgreSQL, the claims expire by themselves."""
    first = await Database.open(url, claimant="first", clock=clock)
    await due.add(first, "k7mq2", START)
    assert ids(await claim(first, due, seconds=2)) == ["k7mq2"]
    await first.close()
    second = await Database.open(url, claimant="second", clock=clock)
    at_once = ids(await claim(second, due))
    if second.engines.writer.dialect.name == "postgresql":
        assert at_once == []
        await asyncio.sleep(2)
        at_once = ids(await claim(second, due))
    assert at_once == ["k7mq2"]
    await second.close()


async def test_a_released_row_is_due_again(database: Database) -> None:
    await a_rental(database, "k7mq2", START)
    await a_quote(database, "q2", START - SECOND)
    async with database.write() as tx:
        await tx.rentals.claim(START, 1, LONG)
        await tx.quotes.claim(START, 1, LONG)
        await tx.rentals.release("k7mq2")
        await tx.quotes.release("q2")
        assert await tx.rentals.next_due() == START
        assert await tx.quotes.next_due() == START - SECOND


async def test_a_rental_that_is_made_due_is_due_now(database: Database) -> None:
    await make.store_rental(database, make.rental(due_at=None))
    async with database.write() as tx:
        await tx.rentals.make_due(["k7mq2"], START + SECOND)
    async with database.read() as tx:
        assert await tx.rentals.next_due() == START + SECOND


async def test_a_process_sees_whether_another_process_has_claimed_a_job(database: Database) -> None:
    async def held(by: Database, seconds: float) -> tuple[bool, bool]:
        """Return the answer of each process after this one has claimed the job for some seconds."""
        async with by.write() as tx:
            await tx.jobs.begin("delivery", START)
            assert await tx.jobs.claim(START, 1, seconds)
        seen = []
        for process in (database, other):
            async with process.read() as tx:
                seen.append(await tx.jobs.held_by_another("delivery"))
        return seen[0], seen[1]

    other = beside(database)
    async with database.read() as tx:
        assert not await tx.jobs.held_by_another("delivery")
    assert await held(database, 0.0) == (False, False)
    assert await held(other, LONG) == (True, False)
