"""Claims: a due row goes to one claimant at a time, longest due first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.clock import MovedClock
from store.db import Database
from tests.databases import START
from tests.store import make

SECOND = timedelta(seconds=1)


async def test_two_concurrent_claimants_never_get_the_same_row(database: Database) -> None:
    for n in range(60):
        await make.store_rental(database, make.rental(f"r{n:02}", due_at=START - n * SECOND))

    # On PostgreSQL the first two claims are both made before either is committed; SQLite lets in one at a time.
    both = asyncio.Barrier(1 if database.engines.writer.dialect.name == "sqlite" else 2)

    async def claim_all(claimant: str) -> list[str]:
        mine: list[str] = []
        while True:
            async with database.write() as tx:
                claimed = await tx.rentals.claim(START, claimant, 7)
                if not mine:
                    await both.wait()
            if not claimed:
                return mine
            mine += [rental.id for rental in claimed]

    first, second = await asyncio.gather(claim_all("a"), claim_all("b"))
    assert sorted(first + second) == sorted(f"r{n:02}" for n in range(60))
    assert first
    assert second


async def test_the_longest_due_row_is_claimed_first_and_a_row_that_is_not_due_never(database: Database) -> None:
    for name, due_in in (("later", 1), ("now", 0), ("older", -9), ("old", -5)):
        await make.store_rental(database, make.rental(name, due_at=START + due_in * SECOND))
    await make.store_rental(database, make.rental("done", due_at=None))
    async with database.write() as tx:
        assert [rental.id for rental in await tx.rentals.claim(START, "a", 2)] == ["older", "old"]
        assert [rental.id for rental in await tx.rentals.claim(START, "a", 9)] == ["now"]
        assert await tx.rentals.next_due() == START + SECOND


async def test_a_claimed_row_is_not_next_due_until_it_is_released(database: Database) -> None:
    await make.store_rental(database)
    async with database.write() as tx:
        await tx.rentals.claim(START, "a", 1)
        assert await tx.rentals.next_due() is None
        await tx.rentals.release("k7mq2")
        assert await tx.rentals.next_due() == START


async def test_quotes_are_claimed_like_rentals(database: Database) -> None:
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1", due_at=START))
        await tx.quotes.add(make.quote("q2", due_at=START - SECOND))
        await tx.quotes.add(make.quote("q3"))
        assert await tx.quotes.next_due() == START - SECOND
        assert await tx.quotes.claim(START, "a", 1) == ["q2"]
        assert await tx.quotes.claim(START, "b", 9) == ["q1"]
        assert await tx.quotes.next_due() is None
        await tx.quotes.release("q2")
        assert await tx.quotes.next_due() == START - SECOND


async def test_a_rental_that_is_made_due_is_due_now(database: Database) -> None:
    await make.store_rental(database, make.rental(due_at=None))
    async with database.write() as tx:
        await tx.rentals.make_due(["k7mq2"], START + SECOND)
    async with database.read() as tx:
        assert await tx.rentals.next_due() == START + SECOND


async def test_claims_of_an_earlier_process_end_when_the_database_is_opened(url: str, clock: MovedClock) -> None:
    first = await Database.open(url, claimant="first", clock=clock)
    await make.store_rental(first)
    async with first.write() as tx:
        await tx.quotes.add(make.quote("q1", due_at=START))
        await tx.rentals.claim(START, "first", 9)
        await tx.quotes.claim(START, "first", 9)
    await first.close()
    second = await Database.open(url, claimant="second", clock=clock)
    async with second.write() as tx:
        assert [rental.id for rental in await tx.rentals.claim(START, "second", 9)] == ["k7mq2"]
        assert await tx.quotes.claim(START, "second", 9) == ["q1"]
    await second.close()


async def test_release_all_ends_every_claim_but_those_that_are_excluded(database: Database) -> None:
    for name in ("mine", "lost", "free"):
        await make.store_rental(database, make.rental(name, due_at=START))
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1", due_at=START))
        await tx.quotes.claim(START, "a", 9)
        assert len(await tx.rentals.claim(START, "a", 9)) == 3
        await tx.rentals.release("free")
    async with database.write() as tx:
        await tx.quotes.release_all()
        await tx.rentals.release_all(without=["mine"])
        assert {rental.id for rental in await tx.rentals.claim(START, "b", 9)} == {"lost", "free"}
        assert await tx.quotes.claim(START, "b", 9) == ["q1"]
