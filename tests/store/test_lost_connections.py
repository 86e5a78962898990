"""A connection to PostgreSQL that ends at any point is an outage, and the next attempt works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from itertools import count

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from bot.clock import MovedClock
from bot.errors import CannotOpen, Refused, Stale, StoreBusy
from store.db import Database
from store.outages import query_errors
from store.preflight import check_database
from tests.databases import Postgres, fresh_postgres
from tests.store import make
from tests.store.cutting_proxy import CuttingProxy, How, cutting_proxy
from tests.store.fact import NAME
from tests.store.test_attempts import bought

Work = Callable[[Database], Awaitable[object]]
Cut = tuple[CuttingProxy, str]
TRIES = 10
"""More attempts than needed: when a connection turns out to be broken, its pool drops all that are as old."""


@pytest.fixture
async def cut(postgres: Postgres) -> AsyncIterator[Cut]:
    """Yield a proxy, and the URL of an empty database that leads through the proxy."""
    async with cutting_proxy(await fresh_postgres(postgres)) as proxied:
        yield proxied


async def read(database: Database) -> str | None:
    async with database.read() as tx:
        await tx.rentals.live()
        return await tx.account.get(NAME)


async def write(database: Database) -> None:
    async with database.write() as tx:
        await tx.account.set(NAME, "new")
        await tx.rentals.live()


async def write_stale(database: Database) -> None:
    """Apply a change to a rental that has changed in the meantime.

    The facts of the change are stored in a second transaction.
    """
    with suppress(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(bought(make.rental(attempts=1)))


async def check_next_work(database: Database) -> None:
    """Check that reads and writes work again, and that every connection is back in its pool."""
    for work in (write, read):
        for _ in range(TRIES):
            with suppress(StoreBusy):
                await work(database)
                break
    assert await read(database) == "new"
    for engine in (database.engines.writer, database.engines.reader):
        assert "Current Checked out connections: 0" in engine.pool.status()


@pytest.mark.parametrize(
    ("work", "everyone"), [(read, False), (read, True), (write, False), (write, True), (write_stale, True)]
)
@pytest.mark.parametrize("how", How)
async def test_a_connection_lost_at_any_point_raises_store_busy(
    cut: Cut, clock: MovedClock, work: Work, how: How, everyone: bool
) -> None:
    """The next attempt works."""
    proxy, url = cut
    database = await Database.open(url, claimant="test", clock=clock)
    await make.store_rental(database, make.rental(attempts=1), make.attempt())
    outages = 0
    for piece in count(1):
        proxy.arm(piece, how, everyone=everyone)
        try:
            await work(database)
        except StoreBusy:
            outages += 1
        if not proxy.disarm():
            break
        await check_next_work(database)
    assert outages >= 6
    await database.close()


@pytest.mark.parametrize("how", How)
async def test_cancelling_a_task_while_its_connection_breaks_leaks_no_connection(
    cut: Cut, clock: MovedClock, how: How
) -> None:
    proxy, url = cut
    database = await Database.open(url, claimant="test", clock=clock)
    for piece in range(1, 10):
        for turns in range(0, 24, 4):
            proxy.arm(piece, how)
            task = asyncio.create_task(write(database))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError, StoreBusy):
                await task
            proxy.disarm()
    await check_next_work(database)
    await database.close()


@pytest.mark.parametrize("how", How)
async def test_a_connection_lost_at_any_point_of_the_start_is_explained(
    cut: Cut, clock: MovedClock, how: How
) -> None:
    proxy, url = cut

    async def start() -> None:
        await (await Database.open(url, claimant="test", clock=clock)).close()

    async def check() -> None:
        await check_database(url)

    for work in (start, check):
        for piece in count(1):
            proxy.arm(piece, how)
            with suppress(CannotOpen, StoreBusy):
                await work()
            if not proxy.disarm():
                break


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        asyncpg.InternalClientError("cannot switch to state 12"),
        asyncpg.AdminShutdownError(),
    ],
)
async def test_a_driver_error_in_a_transaction_is_an_outage(error: Exception) -> None:
    with pytest.raises(StoreBusy), query_errors():
        raise error


@pytest.mark.parametrize(
    "error",
    [Refused("No."), ValueError(), asyncpg.UndefinedTableError(), IntegrityError("INSERT", None, Exception())],
)
async def test_any_other_error_in_a_transaction_is_raised_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)), query_errors():
        raise error
