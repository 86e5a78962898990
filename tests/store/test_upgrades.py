"""A database of the first schema, with a rental that bills, is brought up to today's: all of it or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.clock import MovedClock
from bot.errors import CannotOpen
from bot.lifecycle.ports import Billing, Change
from bot.model.attempt import AttemptState
from bot.model.state import State
from store.db import Database, migrate
from store.migrations import HEAD
from tests.databases import START, Postgres
from tests.store import make
from tests.store.schemas import contents, engine, indexes, shapes

T = TypeVar("T")

HOUR = timedelta(hours=1)
RATE = "2.4200000000000000000000000000010"
"""More digits than any float has, and a last one that a number would lose."""

FIRST = (Path(__file__).parent / "at_0001.sql").read_text().rstrip(";\n").split(";\n")

_numbers = count(1)


def _first_schema(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def _run(*statements: str) -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return run


async def at(database: AsyncEngine, do: Callable[[Connection], T]) -> T:
    """What `do` returns, in a transaction of its own."""
    async with database.begin() as conn:
        return await conn.run_sync(do)


async def as_it_lies(url: str) -> tuple[Any, Any, Any]:
    database = engine(url)
    found = [await at(database, look) for look in (shapes, indexes, contents)]
    await database.dispose()
    return found[0], found[1], found[2]


async def run(url: str, *statements: str) -> None:
    database = engine(url)
    await at(database, _run(*statements))
    await database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
async def old(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database at revision 0001 that holds a rental."""
    url = f"sqlite:///{tmp_path}/old.db"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        name = f"old_{next(_numbers)}"
        await server.run(f"CREATE DATABASE {name}")
        url = server.url(name)
    database = engine(url)
    await at(database, _first_schema)
    await at(database, _run(*FIRST))
    await database.dispose()
    yield url
    if request.param == "postgresql":
        await server.run(f"DROP DATABASE {name} WITH (FORCE)")


async def test_every_row_is_still_there_and_the_new_columns_are_filled(old: str) -> None:
    _, _, before = await as_it_lies(old)
    await migrate(old)
    _, _, after = await as_it_lies(old)
    assert after["alembic_version"] == [{"version_num": HEAD}]
    rates = {(row["rental_id"], row["n"]): row["rate"] for row in after["attempts"]}
    assert rates == {("k7mq2", 1): "2.150", ("k7mq2", 2): RATE}
    assert [row["n"] for row in after["ledger"]] == [1]
    filled = ("quotes", "rentals", "attempts", "resources", "ledger", "events", "messages")
    for name in filled:
        columns = before[name][0]
        assert [{column: row[column] for column in columns} for row in after[name]] == before[name]


async def test_the_store_reads_it_and_goes_on_writing(old: str, clock: MovedClock) -> None:
    database = await Database.open(old, claimant="test", clock=clock)
    async with database.read() as tx:
        rental = await tx.rentals.get("k7mq2")
        first, second = await tx.rentals.attempts("k7mq2")
        gone, alive = await tx.rentals.resources("k7mq2")
        (row,) = await tx.rentals.ledger("k7mq2")
        (standing,) = await tx.rentals.standings()
    assert rental is not None
    assert (rental.state, rental.rate) == (State.READY, Decimal(RATE))
    assert (first.state, second.state) == (AttemptState.GONE, AttemptState.BOUGHT)
    assert row == make.ledger_row(rate=Decimal("2.150"))
    assert (gone.resource_id, alive.resource_id) == ("res-1", "res-2")
    assert standing.billed == 2_150_000
    assert standing.alive == (
        Billing(
            rate=None,
            valid_from=None,
            valid_to=None,
            offer_rate=second.offer.rate,
            intended_at=START + HOUR,
            billed_to=None,
        ),
    )
    assert str(standing.alive[0].offer_rate) == RATE

    third = make.attempt(n=3, state=AttemptState.FAILED)
    again = make.ledger_row(n=2, started_at=row.ended_at, ended_at=row.ended_at + HOUR, amount=1)
    after = make.next_of(rental, attempts=3)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=after, attempts=(third,), ledger=(again, row)))
    async with database.read() as tx:
        assert await tx.rentals.ledger("k7mq2") == [row, again]
        assert (await tx.rentals.attempts("k7mq2"))[2] == third
    await database.close()


async def test_references_are_checked_again_afterwards(old: str, clock: MovedClock) -> None:
    database = await Database.open(old, claimant="test", clock=clock)

    async def orphan() -> None:
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=make.rental("other", quote_id="no such quote")))

    with pytest.raises(IntegrityError):
        await orphan()
    await database.close()


async def test_an_upgrade_that_fails_half_way_changes_nothing_and_can_be_run_again(old: str) -> None:
    # The ledger comes before the attempts: by then its table has been replaced.
    await run(old, """UPDATE attempts SET offer = replace(offer, '"rate"', '"price"') WHERE n = 2""")
    before = await as_it_lies(old)
    with pytest.raises(KeyError, match="rate"):
        await migrate(old)
    assert await as_it_lies(old) == before
    await run(old, """UPDATE attempts SET offer = replace(offer, '"price"', '"rate"')""")
    await migrate(old)
    assert (await as_it_lies(old))[2]["alembic_version"] == [{"version_num": HEAD}]


@pytest.mark.parametrize("old", ["sqlite"], indirect=True)
async def test_a_file_with_a_row_that_refers_to_nothing_is_left_as_it_was(old: str) -> None:
    # As a shell does it: there SQLite checks no references unless it is told to.
    with closing(sqlite3.connect(old.removeprefix("sqlite:///"), isolation_level=None)) as shell:
        shell.execute("DELETE FROM resources WHERE resource_id = 'res-1'")
    before = await as_it_lies(old)
    with pytest.raises(CannotOpen, match="ledger has a row whose row in resources is missing") as refused:
        await migrate(old)
    assert len(refused.value.words.splitlines()) == 1
    assert await as_it_lies(old) == before
