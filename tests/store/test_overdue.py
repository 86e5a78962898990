"""What the overdue deletion reads and writes, and whether the store takes writes at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from bot.clock import MovedClock
from bot.lifecycle.ports.records import Change, KnownResource
from bot.model.attempt import AttemptState
from bot.model.state import State
from store.db import Database
from tests.databases import START, Postgres, cut_connections
from tests.store import make

HOUR = timedelta(hours=1)


async def leased(
    database: Database, rental_id: str = "k7mq2", ends_at: datetime = START + HOUR, **fields: object
) -> None:
    """A rental in use with one machine, whose lease ends in an hour."""
    before = await make.begun(
        database,
        make.rental(rental_id, state=State.PROVISIONING, attempts=1),
        make.attempt(rental_id=rental_id, offer=make.offer(f"offer-{rental_id}")),
    )
    after = make.next_of(before, **{"state": State.READY, "lease": make.lease(ends_at), **fields})
    bought = make.attempt(rental_id=rental_id, offer=make.offer(f"offer-{rental_id}"), state=AttemptState.BOUGHT)
    resource = make.resource(f"res-{rental_id}", rental_id=rental_id)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after, attempts=(bought,), resources=(resource,)))


async def test_an_attempt_is_found_from_its_end_on_without_reading_its_rental(database: Database) -> None:
    await leased(database)
    await leased(database, "later", ends_at=START + 2 * HOUR)
    async with database.engines.writer.begin() as conn:
        # No model takes these any more.
        await conn.execute(text("UPDATE rentals SET envelope = '{}', request = '?', state = 'odd'"))
        await conn.execute(text("UPDATE attempts SET offer = '{}'"))
        await conn.commit()
    async with database.read() as tx:
        assert await tx.overdue.past_end(START + HOUR - timedelta(seconds=1)) == []
        (found,) = await tx.overdue.past_end(START + HOUR)
        assert await tx.overdue.attempt("k7mq2", 1) == found
        assert await tx.overdue.attempt("k7mq2", 2) is None
        assert await tx.overdue.oldest_due(without=()) is not None
        assert await tx.overdue.owned_by_others(found, ["res-k7mq2", "res-later", "res-new"]) == {"res-later"}
    assert (found.rental_id, found.n, found.newest, found.offer_id) == ("k7mq2", 1, True, "offer-k7mq2")
    assert [one.resource_id for one in found.resources] == ["res-k7mq2"]


async def test_what_was_deleted_is_written_to_the_attempts_own_rows(database: Database) -> None:
    await leased(database)
    async with database.write() as tx:
        (found,) = await tx.overdue.past_end(START + HOUR)
        new = KnownResource(resource_id="res-new", status="running", read_at=START)
        assert await tx.overdue.mark_for_deletion(found, [*found.resources, new], START + 2 * HOUR)
        assert not await tx.overdue.mark_for_deletion(found, [], START + 3 * HOUR)
    async with database.read() as tx:
        (attempt,) = await tx.rentals.attempts("k7mq2")
        resources = await tx.rentals.resources("k7mq2")
    assert attempt.marked_for_deletion
    assert {one.resource_id: one.delete_accepted_at for one in resources} == {
        "res-k7mq2": START + 2 * HOUR,
        "res-new": START + 2 * HOUR,
    }
    assert {one.resource_id: one.status for one in resources}["res-new"] == "running"


async def test_a_rental_with_nothing_left_is_not_looked_at(database: Database) -> None:
    await leased(database)
    async with database.read() as tx:
        before = await tx.rentals.get("k7mq2")
    assert before is not None
    after = make.next_of(before, state=State.DESTROYED, over_at=START + HOUR, due_at=None)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after))
    async with database.read() as tx:
        assert await tx.overdue.past_end(START + 9 * HOUR) == []


# --- whether anything can be written


async def test_a_store_that_works_takes_writes_and_wakes_nobody(database: Database) -> None:
    woken: list[None] = []
    database.on_commit(lambda: woken.append(None))
    assert await database.takes_writes()
    assert await database.in_background().takes_writes()
    assert woken == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_file_that_another_process_holds_takes_no_writes(database: Database, url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not await database.takes_writes()
        async with database.read() as tx:
            assert await tx.overdue.past_end(START) == []
    assert await database.takes_writes()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_server_that_is_read_only_is_read_and_a_start_waits_for_no_write(
    url: str, clock: MovedClock, postgres: Postgres
) -> None:
    database = await Database.open(url, claimant="test", clock=clock)
    await leased(database)
    await database.close()
    await postgres.run("ALTER DATABASE gpubot SET default_transaction_read_only = on")
    try:
        await cut_connections(url)
        database = await Database.open(url, claimant="test", clock=clock)
        assert database.claims_left
        assert not await database.takes_writes()
        async with database.read() as tx:
            assert len(await tx.overdue.past_end(START + HOUR)) == 1
    finally:
        await postgres.run("ALTER DATABASE gpubot RESET default_transaction_read_only")
        await database.close()
