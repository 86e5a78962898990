"""A database of each schema that was ever released is brought up to today's: all of it or nothing.

`at_0001.sql` has a rental that bills; the later files have rentals in every state. The code of each schema wrote
its file. When a schema is released, a dump of it is added here.
"""

from __future__ import annotations

import json
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
from bot.lifecycle.ports.records import Billing, Change
from bot.model.attempt import AttemptState
from bot.model.state import State
from bot.policy.leases import OVERDUE_GRACES, overdue_grace
from store.db import Database, migrate
from store.migrations import HEAD
from tests.databases import START, Postgres
from tests.lifecycle.world import world
from tests.store import make
from tests.store.schemas import contents, engine, indexes, shapes

T = TypeVar("T")

HOUR = timedelta(hours=1)
RATE = "2.4200000000000000000000000000010"
"""More digits than any float has, and a last one that a number would lose."""

_numbers = count(1)


def _schema(revision: str) -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return run


def _rows(revision: str) -> list[str]:
    """Return the statements that fill a database of this revision."""
    return (Path(__file__).parent / f"at_{revision}.sql").read_text().rstrip(";\n").split(";\n")


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
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture
def schema() -> str:
    """The revision that the old database has, unless a test says otherwise."""
    return "0001"


@pytest.fixture
async def old(request: pytest.FixtureRequest, tmp_path: Path, kind: str, schema: str) -> AsyncIterator[str]:
    """The URL of a database at an older revision that holds rentals."""
    url = f"sqlite:///{tmp_path}/old.db"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        name = f"old_{next(_numbers)}"
        await server.run(f"CREATE DATABASE {name}")
        url = server.url(name)
    database = engine(url)
    await at(database, _schema(schema))
    await at(database, _run(*_rows(schema)))
    await database.dispose()
    yield url
    if kind == "postgresql":
        await server.run(f"DROP DATABASE {name} WITH (FORCE)")


each_schema = pytest.mark.parametrize("schema", ["0001", "0002", "0003"])


@each_schema
async def test_every_row_is_still_there_and_the_new_columns_are_filled(old: str) -> None:
    _, _, before = await as_it_lies(old)
    await migrate(old)
    _, _, after = await as_it_lies(old)
    assert after["alembic_version"] == [{"version_num": HEAD}]
    # As texts: a number would lose the last digits.
    assert [row["rate"] for row in after["attempts"]] == [
        json.loads(row["offer"])["rate"] for row in after["attempts"]
    ]
    assert {row["n"] for row in after["ledger"]} == {1}
    for name in ("quotes", "rentals", "attempts", "resources", "ledger", "events", "messages"):
        columns = before[name][0]
        assert [{column: row[column] for column in columns} for row in after[name]] == before[name]


async def test_the_store_reads_it_and_goes_on_writing(old: str, clock: MovedClock) -> None:
    database = await Database.open(old, claimant="test", clock=clock)
    async with database.read() as tx:
        rental = await tx.rentals.get("k7mq2")
        first, second = await tx.rentals.attempts("k7mq2")
        gone, alive = await tx.rentals.resources("k7mq2")
        (row,) = await tx.rentals.ledger("k7mq2")
        (standing,) = await tx.rentals.live_costs()
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


@pytest.mark.parametrize("schema", ["0002", "0003"])
async def test_rentals_in_every_state_are_read_and_written(old: str, clock: MovedClock) -> None:
    _, _, before = await as_it_lies(old)
    ids = [row["id"] for row in before["rentals"]]
    database = await Database.open(old, claimant="test", clock=clock)
    found = []
    for rental_id in ids:
        async with database.write() as tx:
            rental = await tx.rentals.get(rental_id)
            assert rental is not None
            assert await tx.quotes.get(rental.quote_id) is not None
            again = Change(
                before=rental,
                after=make.next_of(rental),
                attempts=tuple(await tx.rentals.attempts(rental_id)),
                resources=tuple(await tx.rentals.resources(rental_id)),
                ledger=tuple(await tx.rentals.ledger(rental_id)),
                events=(make.event(rental_id=rental_id),),
            )
            await tx.rentals.apply(again)
            found.append(rental.state)
        async with database.read() as tx:
            assert await tx.events.of(rental_id)
    assert set(found) == set(State)
    async with database.read() as tx:
        for message_id in range(1, len(before["messages"]) + 1):
            assert await tx.messages.get(message_id) is not None
    await database.close()


@each_schema
async def test_a_machine_that_an_older_version_rented_is_found_from_its_end_on(
    old: str, clock: MovedClock, schema: str
) -> None:
    _, _, before = await as_it_lies(old)
    database = await Database.open(old, claimant="test", clock=clock)
    found = {}
    async with database.read() as tx:
        for row in before["rentals"]:
            rental = await tx.rentals.get(row["id"])
            assert rental is not None
            if rental.state.over or not any(not one.settled for one in await tx.rentals.attempts(rental.id)):
                continue
            start = rental.accepted_at or rental.created_at
            ends_at = rental.lease.ends_at if rental.lease else None
            end = (rental.ending.since if rental.ending else None) or ends_at or start
            early, due = await tx.overdue.past_end(end - timedelta(seconds=1)), await tx.overdue.past_end(end)
            assert rental.id not in {one.rental_id for one in early}
            (attempt,) = [one for one in due if one.rental_id == rental.id and one.newest]
            found[rental.state] = attempt
    states = {State.READY}
    if schema != "0001":
        states |= {State.PROCURING, State.PROVISIONING, State.DESTROYING}
    assert found.keys() == states
    await database.close()


@pytest.mark.parametrize(("kind", "schema"), [("sqlite", "0002"), ("sqlite", "0003")])
async def test_overdue_machines_of_an_older_version_are_deleted(old: str) -> None:
    _, _, before = await as_it_lies(old)
    async with world(old) as here:
        here.jump(3 * 24 * HOUR)  # past the end of each
        await here.overdue.look()
        here.jump(OVERDUE_GRACES * overdue_grace(here.deps.rules))
        await here.overdue.look()
        asked = {call["path"].rpartition("/")[2] for call in await here.calls("delete_resource")}
    assert asked == {row["resource_id"] for row in before["resources"] if row["gone_at"] is None}


@each_schema
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


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_file_with_a_row_that_refers_to_nothing_is_left_as_it_was(old: str) -> None:
    # As a shell does it: there SQLite checks no references unless it is told to.
    with closing(sqlite3.connect(old.removeprefix("sqlite:///"), isolation_level=None)) as shell:
        shell.execute("DELETE FROM resources WHERE resource_id = 'res-1'")
    before = await as_it_lies(old)
    with pytest.raises(CannotOpen, match="ledger has a row whose row in resources is missing") as refused:
        await migrate(old)
    assert len(refused.value.words.splitlines()) == 1
    assert await as_it_lies(old) == before
