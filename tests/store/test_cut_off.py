"""A connection to PostgreSQL that ends at any moment is an outage like any other, and the next try works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from bot.clock import MovedClock
from bot.errors import CannotOpen, Refused, Stale, StoreBusy
from store.db import Database
from store.outages import query_errors
from store.preflight import condition
from tests.databases import Postgres, fresh_postgres
from tests.store import make
from tests.store.cutting import CuttingProxy, How, cutting_proxy
from tests.store.test_attempts import bought

Work = Callable[[Database], Awaitable[object]]
Cut = tuple[CuttingProxy, str]
TRIES = 10
"""For each engine one at most: with a broken connection its pool drops all that are as old."""


@pytest.fixture
async def cut(postgres: Postgres, templates: dict[str, Any]) -> AsyncIterator[Cut]:
    """A proxy, and the URL of an empty database behind it."""
    async with cutting_proxy(await fresh_postgres(postgres, templates)) as proxied:
        yield proxied


async def read(database: Database) -> str | None:
    async with database.read() as tx:
        await tx.rentals.live()
        return await tx.account.get("name")


async def write(database: Database) -> None:
    async with database.write() as tx:
        await tx.account.set("name", "new")
        await tx.rentals.live()


async def write_too_late(database: Database) -> None:
    """A change that lost its race; its facts are kept in a second transaction on the same connection."""
    with suppress(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(bought(make.rental(attempts=1)))


async def goes_on(database: Database) -> None:
    """Everybody who tries again is served, and no connection is held by nobody."""
    for work in (write, read):
        for _ in range(TRIES):
            with suppress(StoreBusy):
                await work(database)
                break
    assert await read(database) == "new"
    for engine in (database.engines.writer, database.engines.reader):
        assert "Current Checked out connections: 0" in engine.pool.status()


@pytest.mark.parametrize("everyone", [False, True], ids=["one", "all"])
@pytest.mark.parametrize("how", How)
@pytest.mark.parametrize("work", [read, write, write_too_late])
async def test_wherever_a_connection_ends_people_are_told_to_try_again_and_it_goes_on(
    cut: Cut, clock: MovedClock, work: Work, how: How, everyone: bool
) -> None:
    proxy, url = cut
    database = await Database.open(url, claimant="test", clock=clock)
    await make.begun(database, make.rental(attempts=1), make.attempt())
    outages = 0
    for piece in count(1):
        proxy.arm(piece, how, everyone=everyone)
        try:
            await work(database)
        except StoreBusy:
            outages += 1
        if not proxy.disarm():
            break
        await goes_on(database)
    assert outages >= 6
    await database.close()


@pytest.mark.parametrize("how", How)
async def test_who_is_cancelled_while_the_connection_ends_leaves_nothing_behind(
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
    await goes_on(database)
    await database.close()


@pytest.mark.parametrize("how", How)
async def test_wherever_a_connection_ends_at_the_start_one_line_says_so(
    cut: Cut, clock: MovedClock, how: How
) -> None:
    proxy, url = cut

    async def start() -> None:
        await (await Database.open(url, claimant="test", clock=clock)).close()

    async def look() -> None:
        await condition(url)

    for work in (start, look):
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
async def test_what_the_driver_raises_in_a_transaction_by_itself_is_an_outage(error: Exception) -> None:
    with pytest.raises(StoreBusy):
        async with query_errors():
            raise error


@pytest.mark.parametrize(
    "error",
    [Refused("No."), ValueError(), asyncpg.UndefinedTableError(), IntegrityError("INSERT", None, Exception())],
)
async def test_a_bug_in_a_transaction_stays_one(error: Exception) -> None:
    with pytest.raises(type(error)):
        async with query_errors():
            raise error
