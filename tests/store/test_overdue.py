"""The overdue deletion finds attempts that are past their end, and marks them for deletion."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from bot.model.attempt import AttemptState, Marker
from bot.model.records import Change, KnownResource
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.store import make

HOUR = timedelta(hours=1)


async def store_ready_rental(
    database: Database, rental_id: str = "k7mq2", ends_at: datetime = START + HOUR, **fields: object
) -> None:
    """Store a ready rental with one machine."""
    before = await make.store_rental(
        database,
        make.rental(rental_id, state=State.PROVISIONING, attempts=1),
        make.attempt(rental_id=rental_id, offer=make.offer(f"offer-{rental_id}")),
    )
    after = make.next_of(before, **{"state": State.READY, "lease": make.lease(ends_at), **fields})
    bought = make.attempt(rental_id=rental_id, offer=make.offer(f"offer-{rental_id}"), state=AttemptState.BOUGHT)
    resource = make.resource(f"res-{rental_id}", rental_id=rental_id)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after, attempts=(bought,), resources=(resource,)))


async def test_an_attempt_becomes_overdue_even_if_its_rental_is_unreadable(database: Database) -> None:
    await store_ready_rental(database)
    await store_ready_rental(database, "later", ends_at=START + 2 * HOUR)
    async with database.engines.writer.begin() as conn:
        # No model would accept these values.
        await conn.execute(text("UPDATE rentals SET envelope = '{}', request = '?', state = 'odd'"))
        await conn.execute(text("UPDATE attempts SET offer = '{}'"))
        await conn.commit()
    async with database.read() as tx:
        assert await tx.overdue.past_end(START + HOUR - timedelta(seconds=1)) == []
        (found,) = await tx.overdue.past_end(START + HOUR)
        assert await tx.overdue.attempt("k7mq2", 1) == found
        assert await tx.overdue.attempt("k7mq2", 2) is None
        assert await tx.overdue.oldest_due(without=()) is not None
        watched = await tx.overdue.watched()
        assert await tx.overdue.owned_by_others(found, ["res-k7mq2", "res-later", "res-new"]) == {"res-later"}
    assert (found.rental_id, found.n, found.newest, found.offer_id) == ("k7mq2", 1, True, "offer-k7mq2")
    assert [one.resource_id for one in found.resources] == ["res-k7mq2"]
    assert [(one.resource_id, one.newest, one.ends_at) for one in watched] == [
        ("res-k7mq2", True, START + HOUR),
        ("res-later", True, START + 2 * HOUR),
    ]


async def test_an_accepted_deletion_is_recorded_on_attempt_and_resources(database: Database) -> None:
    await store_ready_rental(database)
    async with database.write() as tx:
        (found,) = await tx.overdue.past_end(START + HOUR)
        new = KnownResource(resource_id="res-new", status="running", read_at=START)
        assert await tx.overdue.mark_for_deletion(found, [*found.resources, new], START + 2 * HOUR)
        assert not await tx.overdue.mark_for_deletion(found, [], START + 3 * HOUR)
    async with database.read() as tx:
        (attempt,) = await tx.rentals.attempts("k7mq2")
        resources = await tx.rentals.resources("k7mq2")
    assert attempt.marked_by is Marker.OVERDUE
    assert {one.resource_id: one.delete_accepted_at for one in resources} == {
        "res-k7mq2": START + 2 * HOUR,
        "res-new": START + 2 * HOUR,
    }
    assert {one.resource_id: one.status for one in resources}["res-new"] == "running"


async def test_a_rental_that_is_over_has_no_overdue_attempt(database: Database) -> None:
    await store_ready_rental(database)
    async with database.read() as tx:
        before = await tx.rentals.get("k7mq2")
    assert before is not None
    after = make.next_of(before, state=State.DESTROYED, over_at=START + HOUR, due_at=None)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after))
    async with database.read() as tx:
        assert await tx.overdue.past_end(START + 9 * HOUR) == []
