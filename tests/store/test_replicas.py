"""Several processes share a PostgreSQL database.

They know about each other, wake each other, and stop when the database is migrated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import asyncpg
import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen, InUse
from bot.model.message import MessageKind
from bot.model.records import Claimed
from store.db import Database, Written, migrate
from tests.databases import START, Postgres, cut_connections
from tests.store import make
from tests.store.fact import read, write

OWNER_LOCK = 0x67707561
"""The lock that versions without replicas hold exclusively."""


@pytest.fixture
async def both(postgres_url: str, clock: MovedClock) -> AsyncIterator[tuple[Database, Database]]:
    """Two processes that share a database: the one that opened it first, and the one that joined."""
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("first", "second"):
            opened.append(await Database.open(postgres_url, claimant=name, clock=clock))
            stack.push_async_callback(opened[-1].close)
        yield opened[0], opened[1]


def noted(database: Database, written: Written) -> asyncio.Event:
    """Return an event that is set after each commit that wrote rows of this kind."""
    event = asyncio.Event()
    database.on_commit(event.set, written)
    return event


async def test_processes_sharing_a_database_know_about_each_other(both: tuple[Database, Database]) -> None:
    first, second = both
    assert (first.joined, second.joined) == (False, True)
    assert (await first.look()).replicas == 2
    await second.close()
    assert (await first.look()).replicas == 1


async def test_a_transaction_reads_the_current_time_of_the_databases_clock(
    both: tuple[Database, Database],
) -> None:
    async with both[0].read() as tx:
        first, second = await tx.overdue.database_time(), await tx.overdue.database_time()
    assert first is not None
    assert second is not None
    assert first < second, "not when the transaction began"


async def test_a_commit_wakes_another_process_if_it_may_create_work(
    both: tuple[Database, Database],
) -> None:
    first, second = both
    quotes, messages = noted(second, Written.QUOTES), noted(second, Written.MESSAGES)
    await first.look()
    async with first.write() as tx:
        await tx.quotes.add(make.quote(due_at=START))
    await quotes.wait()
    quotes.clear()
    async with first.write(durable=False) as tx:
        assert await tx.quotes.claim(START, 1, 20.0)
    async with first.write(durable=False) as tx:
        await tx.messages.add(make.message(kind=MessageKind.HOME, rental_id=None, to="U0ANA"))
    await messages.wait()
    assert not quotes.is_set(), "a claim makes nothing due"


async def test_after_a_lost_session_the_database_is_reopened_as_possibly_older(
    both: tuple[Database, Database], postgres_url: str
) -> None:
    first, second = both
    reopened, messages = asyncio.Event(), noted(second, Written.MESSAGES)
    second.on_reopen(reopened.set)
    await cut_connections(postgres_url)
    for database in both:
        while True:
            with suppress(Exception):
                assert (await database.look()).replicas == 2 or database is first
                break
    assert reopened.is_set()
    await first.look()
    async with first.write() as tx:
        await tx.messages.add(make.message(kind=MessageKind.HOME, rental_id=None, to="U0ANA"))
    await messages.wait()


async def test_gpubot_migrate_stops_all_processes_before_it_migrates(
    both: tuple[Database, Database], postgres_url: str
) -> None:
    await make_older(postgres_url)
    migrating = asyncio.create_task(migrate(postgres_url))
    for database in both:
        while True:
            try:
                await database.look()
            except CannotOpen:
                break
        assert not migrating.done()
        await database.close()
    await migrating


async def test_gpubot_migrate_gives_up_if_a_process_does_not_stop(
    both: tuple[Database, Database], postgres_url: str
) -> None:
    await make_older(postgres_url)
    with pytest.raises(InUse, match="Stop it, then run gpubot migrate again"):
        await migrate(postgres_url, leave_within=0.3)
    for database in both:
        await database.close()
    await migrate(postgres_url)


async def test_a_newer_version_does_not_migrate_while_older_ones_run(
    both: tuple[Database, Database], postgres_url: str, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_older(postgres_url)
    monkeypatch.setattr("store.db._MIGRATE_TRIES", 2)
    with pytest.raises(InUse, match="Call gpubot migrate"):
        await Database.open(postgres_url, claimant="third", clock=clock)
    for database in both:
        await database.close()
    await migrate(postgres_url)


async def test_when_several_start_on_an_empty_database_one_migrates(postgres: Postgres, clock: MovedClock) -> None:
    await postgres.run("CREATE DATABASE shared")
    url = postgres.url("shared")
    opened = await asyncio.gather(*(Database.open(url, claimant=f"r{n}", clock=clock) for n in range(3)))
    await write(opened[0], "shared")
    assert [await read(database) for database in opened] == ["shared"] * 3
    for database in opened:
        await database.close()
    await postgres.run("DROP DATABASE shared")


async def test_this_version_and_one_without_replicas_exclude_each_other(
    postgres_url: str, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.ownership._SHARE_TRIES", 1)
    older = await asyncpg.connect(postgres_url)
    await older.execute(f"SELECT pg_advisory_lock({OWNER_LOCK})")
    with pytest.raises(InUse, match="in use by another gpubot"):
        await Database.open(postgres_url, claimant="new", clock=clock)
    await older.execute(f"SELECT pg_advisory_unlock({OWNER_LOCK})")
    database = await Database.open(postgres_url, claimant="new", clock=clock)
    assert not await older.fetchval(f"SELECT pg_try_advisory_lock({OWNER_LOCK})")
    await database.close()
    await older.close()


async def test_a_claim_lasts_until_another_process_takes_it_after_expiry(
    both: tuple[Database, Database],
) -> None:
    first, second = both
    async with first.write() as tx:
        await tx.jobs.begin("delivery", START)
        await tx.jobs.begin("delivery", START + timedelta(days=1))
    for holder, other in ((first, second), (second, first)):
        claimed: list[Claimed] = []
        while not claimed:
            async with holder.write(durable=False) as tx:
                claimed = await tx.jobs.claim(START, 1, 0.1)
        assert [job.id for job in claimed] == ["delivery"]
        async with holder.write() as tx:
            assert await tx.jobs.hold("delivery")
        async with other.write() as tx:
            assert not await tx.jobs.hold("delivery")


async def make_older(url: str) -> None:
    """Downgrade a database by one revision."""
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE logins")
    await connection.execute("ALTER TABLE messages DROP COLUMN webhook_due_at")
    await connection.execute("UPDATE alembic_version SET version_num = 'v0602'")
    await connection.close()
