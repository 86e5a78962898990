"""A database that doesn't respond in time, or can't be written, is an outage that may end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen, StoreBusy
from bot.model.account_facts import WRITES_TRIED_AT
from store.connections import LOCK_TIMEOUT, postgres_connection
from store.db import Database
from tests.databases import START, Postgres, cut_connections
from tests.store import make
from tests.store.fact import read, write

T = TypeVar("T")

OWNER_LOCK = 0x67707561
HOLDS_THE_WRITE_LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_process(url: str) -> Iterator[None]:
    """Hold the write lock of the file in another process during the block."""
    command = [sys.executable, "-c", HOLDS_THE_WRITE_LOCK, url.removeprefix("sqlite:///")]
    with subprocess.Popen(  # noqa: S603  # our own Python and script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


async def test_while_another_process_has_the_write_lock_only_reads_work(
    sqlite_url: str, clock: MovedClock
) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    await write(database, "before")
    with held_by_another_process(sqlite_url):
        writing = asyncio.create_task(write(database, "taken"))
        for _ in range(20):
            assert await read(database) == "before"
        assert not writing.done()
        with pytest.raises(StoreBusy):
            await writing
        assert not await database.takes_writes()
    assert await database.takes_writes()
    await write(database, "after")
    assert await read(database) == "after"
    await database.close()


async def test_a_writer_cancelled_while_it_waits_for_another_process_writes_nothing(
    sqlite_url: str, clock: MovedClock
) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    with held_by_another_process(sqlite_url):
        task = asyncio.create_task(write(database, "cancelled"))
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await write(database, "after")
    assert await read(database) == "after"
    await database.close()


async def test_closing_waits_for_a_thread_that_is_waiting_for_another_process(
    sqlite_url: str, clock: MovedClock
) -> None:
    """Otherwise such a thread would call an event loop that is closed."""
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    threads = database.engines.threads
    with held_by_another_process(sqlite_url):
        task = asyncio.create_task(write(database, "cancelled"))
        for _ in range(2):  # the first call closes the connection, and waits until it is closed
            for _ in range(50):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert any(thread.is_alive() for thread in threads)
        await database.close()
        assert not any(thread.is_alive() for thread in threads)


def damage(path: Path) -> None:
    """Overwrite everything in a file except its header."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (path.stat().st_size - 100))


async def test_a_file_that_is_damaged_while_it_is_open_is_an_outage(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    damage(Path(sqlite_url.removeprefix("sqlite:///")))
    for work in (read(database), write(database, "lost")):
        with pytest.raises(StoreBusy):
            await work
    await database.close()
    with pytest.raises(CannotOpen, match="It is damaged"):
        await Database.open(sqlite_url, claimant="test", clock=clock)


async def test_ownership_is_regained_after_postgresql_ended_every_connection(
    postgres_url: str, clock: MovedClock
) -> None:
    database = await Database.open(postgres_url, claimant="test", clock=clock)
    await write(database, "before")
    await cut_connections(postgres_url)
    await until_it_works(lambda: write(database, "after"))
    assert await until_it_works(lambda: read(database)) == "after"
    async with owning_alone(postgres_url) as taken:
        assert not taken
    await database.close()


async def until_it_works(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call until every connection that was cut has been noticed."""
    for _ in range(10):
        with suppress(StoreBusy):
            return await work()
    return await work()


@asynccontextmanager
async def owning_alone(url: str) -> AsyncIterator[bool]:
    """Take exclusive ownership of the database, as a migration does.

    Yields whether nobody else uses the database.
    """
    connection = await asyncpg.connect(url)
    yield await connection.fetchval(f"SELECT pg_try_advisory_lock({OWNER_LOCK})")
    await connection.close()


async def test_a_database_migrated_by_another_process_during_an_outage_is_not_written(
    postgres_url: str, clock: MovedClock
) -> None:
    first = await Database.open(postgres_url, claimant="first", clock=clock)
    await write(first, "before")
    await cut_connections(postgres_url)
    async with owning_alone(postgres_url) as taken:
        assert taken
        with pytest.raises(StoreBusy):
            await write(first, "after")
        assert await until_it_works(lambda: read(first)) == "before"
    await first.close()


async def test_a_timeout_for_a_postgresql_row_lock_raises_store_busy(postgres_url: str, clock: MovedClock) -> None:
    database = await Database.open(postgres_url, claimant="test", clock=clock)
    await make.store_rental(database)
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("SELECT id FROM rentals FOR UPDATE")
        with pytest.raises(StoreBusy):
            async with database.write() as tx:
                await tx.rentals.make_due(["k7mq2"], START)
    await other.close()
    await database.close()


async def test_an_idle_transaction_ends_before_others_give_up_on_its_locks(
    postgres_url: str, clock: MovedClock
) -> None:
    """Its process may have been suspended."""
    stopped = await Database.open(postgres_url, claimant="test", clock=clock, hold_at_most=LOCK_TIMEOUT / 4)
    other = await Database.open(postgres_url, claimant="test", clock=clock)
    transaction = stopped.write()
    tx = await transaction.__aenter__()
    await tx.account.set(WRITES_TRIED_AT, START)
    assert await other.takes_writes()
    with pytest.raises(StoreBusy):
        await transaction.__aexit__(None, None, None)
    await stopped.close()
    await other.close()


async def test_a_session_suspended_in_the_middle_of_a_statement_is_ended(
    postgres_url: str, clock: MovedClock
) -> None:
    database = await Database.open(postgres_url, claimant="test", clock=clock, hold_at_most=LOCK_TIMEOUT / 2)
    stopped, operator = [await postgres_connection(postgres_url, name) for name in ("test", "psql")]
    assert await database.takes_writes()
    for session in (stopped, operator):
        await session.execute("BEGIN")
        await session.execute("UPDATE account SET value = value" if session is stopped else "SELECT")
        await session.prepare("SELECT value, $1::int FROM account")
    assert not await database.takes_writes()  # after LOCK_TIMEOUT
    await database.look()
    assert await database.takes_writes()
    # The error depends on how much of the server's last message asyncpg has read.
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        await stopped.execute("SELECT")
    assert not operator.is_closed()
    operator.terminate()
    await database.close()


async def test_trying_a_write_calls_no_listener(database: Database) -> None:
    calls: list[None] = []
    database.on_commit(lambda: calls.append(None))
    assert await database.takes_writes()
    assert await database.in_background().takes_writes()
    assert calls == []


async def test_a_read_only_server_is_opened_and_read(
    postgres_url: str, clock: MovedClock, postgres: Postgres
) -> None:
    database = await Database.open(postgres_url, claimant="test", clock=clock)
    await write(database, "before")
    await database.close()
    await postgres.run("ALTER DATABASE gpubot SET default_transaction_read_only = on")
    try:
        await cut_connections(postgres_url)
        database = await Database.open(postgres_url, claimant="test", clock=clock)
        assert not await database.takes_writes()
        assert await read(database) == "before"
    finally:
        await postgres.run("ALTER DATABASE gpubot RESET default_transaction_read_only")
        await database.close()
