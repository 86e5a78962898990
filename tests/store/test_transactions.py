"""A transaction is written completely or not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import text

from bot.clock import MovedClock
from bot.errors import Refused, StoreBusy
from bot.model.message import MessageKind
from bot.model.records import Change
from store.db import Database, Written
from store.inline_sqlite import CHECKPOINT_PAGES
from tests.databases import Postgres
from tests.store import make
from tests.store.fact import NAME, read, write


async def test_an_error_inside_a_transaction_undoes_all_of_it(database: Database) -> None:
    async def half() -> None:
        async with database.write() as tx:
            await tx.account.set(NAME, "half")
            raise Refused("No.")

    with pytest.raises(Refused):
        await half()
    assert await read(database) is None


async def test_a_cancelled_transaction_writes_nothing(database: Database) -> None:
    inside = asyncio.Event()

    async def half() -> None:
        async with database.write() as tx:
            await tx.account.set(NAME, "half")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(half())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await read(database) is None
    await write(database, "whole")
    assert await read(database) == "whole"


async def test_a_writer_cancelled_during_commit_wrote_everything_or_nothing(database: Database) -> None:
    for turns in range(40):
        task = asyncio.create_task(write(database, f"value {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await write(database, "next")
        assert await read(database) == "next"


async def test_readers_neither_wait_for_a_writer_nor_see_its_changes(database: Database) -> None:
    async with database.write() as tx:
        await tx.account.set(NAME, "unfinished")
        assert await read(database) is None
    assert await read(database) == "unfinished"


async def test_a_read_sees_one_snapshot(database: Database) -> None:
    await write(database, "before")
    async with database.read() as tx:
        assert await tx.account.get(NAME) == "before"
        await write(database, "after")
        assert await tx.account.get(NAME) == "before"


async def commits_wait(database: Database, setting: str, *, durable: bool) -> bool:
    """Return whether a commit waits for the disk, according to a setting of the database."""
    async with database.write(durable=durable) as tx:
        value = await tx.quotes._conn.scalar(text(setting))
    return value in {2, "on"}  # 2 is FULL


async def test_only_a_durable_commit_waits_for_the_disk_on_sqlite(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    for durable in (True, False, True, False):
        assert await commits_wait(database, "PRAGMA synchronous", durable=durable) is durable
        async with database.write(durable=durable) as tx:
            pages = await tx.quotes._conn.scalar(text("PRAGMA wal_autocheckpoint"))
        assert pages == (CHECKPOINT_PAGES if durable else 0), "only a durable commit copies the log"
    await database.close()


async def test_only_a_durable_commit_waits_for_the_disk_on_postgresql(
    postgres: Postgres, postgres_url: str, clock: MovedClock
) -> None:
    await postgres.run("ALTER DATABASE gpubot SET synchronous_commit = on")
    database = await Database.open(postgres_url, claimant="test", clock=clock)
    for durable in (True, False, True, False):
        assert await commits_wait(database, "SHOW synchronous_commit", durable=durable) is durable
    await database.close()
    await postgres.run("ALTER DATABASE gpubot RESET synchronous_commit")


async def test_each_loop_is_called_after_commits_that_concern_it(database: Database) -> None:
    called: list[Written] = []
    for written in Written:
        database.on_commit(partial(called.append, written), written)
    await write(database, "neither")
    assert called == []
    with suppress(Refused):
        async with database.write() as tx:
            await tx.quotes.add(make.quote("rolled-back"))
            raise Refused("No.")
    await write(database, "neither")
    assert called == []
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1"))
    assert called == [Written.QUOTES]
    async with database.write() as tx:
        await tx.messages.add(make.message(kind=MessageKind.REPLY, rental_id=None, body={}))
    assert called == [Written.QUOTES, Written.MESSAGES]


async def test_listeners_are_called_only_after_commits(database: Database) -> None:
    calls: list[int] = []
    database.on_commit(lambda: calls.append(1))
    database.on_commit(lambda: calls.append(2))
    await write(database, "first")
    await read(database)
    with pytest.raises(Refused):
        async with database.write():
            raise Refused("No.")
    assert calls == [1, 2]


async def test_fifty_concurrent_rentals_cannot_exceed_the_limit(database: Database) -> None:
    limit = Decimal("10.00")
    async with database.write() as tx:
        for n in range(50):
            await tx.quotes.add(make.quote(f"q{n}"))

    async def rent(n: int) -> bool:
        rental = make.rental(f"r{n}", quote_id=f"q{n}", owner=f"U{n}")
        async with database.write() as tx:
            await tx.rentals.lock_spending()
            usage = await tx.rentals.usage(rental.owner)
            if usage.team_rate + rental.terms.max_rate > limit:
                return False
            await tx.rentals.apply(Change(before=None, after=rental))
            return True

    async def retry_rent(n: int) -> bool:
        # On a busy machine, not every connection opens in time.
        for _ in range(20):
            with suppress(StoreBusy):
                return await rent(n)
        return await rent(n)

    rented = await asyncio.gather(*map(retry_rent, range(50)))
    assert sum(rented) == 4  # of $2.47 each
    async with database.read() as tx:
        assert (await tx.rentals.usage("U0")).team_rate == Decimal("9.88")


async def test_a_writer_that_queues_too_long_raises_store_busy(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    async with database.write() as tx:
        await tx.account.set(NAME, "slow")
        with pytest.raises(StoreBusy):
            await write(database, "queued")
    assert await read(database) == "slow"
    await database.close()


async def test_a_person_waits_for_at_most_one_background_writer(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="a", clock=clock)
    background = database.in_background()
    inside, may_end = asyncio.Event(), asyncio.Event()
    order = []

    async def write_in_background(name: str) -> None:
        async with background.write() as tx:
            inside.set()
            await may_end.wait()
            await tx.account.set(NAME, name)
            order.append(name)

    async def person() -> None:
        await inside.wait()
        may_end.set()
        await write(database, "person")
        order.append("person")

    try:
        await asyncio.gather(*(write_in_background(f"background {number}") for number in range(3)), person())
        assert order.index("person") == 1
        assert await read(database) == order[-1]
    finally:
        await database.close()
