"""A database of each released schema is migrated to the newest one: all of it or nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from bot.clock import MovedClock
from bot.errors import CannotOpen
from bot.lifecycle.ports.records import Billing, Change
from bot.model.attempt import AttemptState
from bot.model.state import State
from store.db import Database, migrate
from store.migrations import HEAD
from tests.databases import START
from tests.store import make
from tests.store.old_databases import at, run
from tests.store.schemas import contents, engine, indexes, shapes

HOUR = timedelta(hours=1)
RATE = "2.4200000000000000000000000000010"
"""It has more digits than a float, so a float would lose the last one."""


async def whole_database(url: str) -> tuple[Any, Any, Any]:
    database = engine(url)
    found = [await at(database, read) for read in (shapes, indexes, contents)]
    await database.dispose()
    return found[0], found[1], found[2]


each_schema = pytest.mark.parametrize("schema", ["0001", "0002", "0003", "0004", "0005", "0006"])


@each_schema
async def test_an_upgrade_keeps_every_row_and_fills_the_new_columns(old_url: str, schema: str) -> None:
    _, _, before = await whole_database(old_url)
    await migrate(old_url)
    _, _, after = await whole_database(old_url)
    assert after["alembic_version"] == [{"version_num": HEAD}]
    # Compared as texts, because a number would lose the last digits.
    called = [row for row in after["attempts"] if row["offer"] is not None]
    assert [row["rate"] for row in called] == [json.loads(row["offer"])["rate"] for row in called]
    assert {row["n"] for row in after["ledger"]} == {1}
    if schema < "0006":
        assert [(row["silent_until"], row["promised"]) for row in after["rentals"]] == [
            (row["ask_at"], row["asked_times"] == -1) for row in before["rentals"]
        ]
    names = {"quotes", "rentals", "attempts", "resources", "ledger", "events", "messages"}
    names |= {"visits", "samples", "probe_answers", "unknown_purchases"} & before.keys()
    for name in names:
        columns = before[name][0].keys() - {"notices_given", "ask_at", "asked_times", "envelope", "extension"}
        assert [{column: row[column] for column in columns} for row in after[name]] == [
            {column: row[column] for column in columns} for row in before[name]
        ]


@each_schema
async def test_envelopes_get_the_gpu_that_was_clicked_and_rentals_the_one_of_their_last_attempt(
    old_url: str, schema: str
) -> None:
    _, _, before = await whole_database(old_url)
    await migrate(old_url)
    _, _, after = await whole_database(old_url)
    clicked = {offer["offer_id"]: offer for row in after["quotes"] for offer in json.loads(row["offers"])}
    filled = 0
    for was, row in zip(before["rentals"], after["rentals"], strict=True):
        attempts = [attempt for attempt in after["attempts"] if attempt["rental_id"] == row["id"]]
        last = max(attempts, key=lambda attempt: attempt["n"], default={"gpu": None})
        assert row["gpu"] == (None if row["state"] == "awaiting_approval" else last["gpu"])
        for name in ("envelope", "extension"):
            old, new = (json.loads(one[name]) if one[name] else {} for one in (was, row))
            old, new = (one.get("envelope", one) for one in (old, new))
            assert {**old, "gpu": new.get("gpu")} == {"gpu": None, **new}
        gpu = json.loads(row["envelope"])["gpu"]
        if row["live"] and row["clicked_offer"] in clicked:
            assert gpu == clicked[row["clicked_offer"]]["gpu"]
            filled += 1
        elif row["live"] and attempts:
            assert gpu == min(attempts, key=lambda attempt: attempt["n"])["gpu"]
    assert filled or schema < "0003"


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("UPDATE rentals SET notices_given = 0, ready_at = '2026-11-24 12:00:00.000000'", "ready_at"),
        ("UPDATE rentals SET notices_given = 1, ready_at = '2026-11-24 12:00:00.000000'", "two hours before"),
        ("UPDATE rentals SET notices_given = 1, ready_at = '2026-11-24 17:00:00.000000'", "ready_at"),
        ("UPDATE rentals SET notices_given = 2, ready_at = '2026-11-24 12:00:00.000000'", "ends_at"),
    ],
)
async def test_notices_that_an_older_version_gave_are_not_given_again(
    old_url: str, clock: MovedClock, given: str, checked: str
) -> None:
    await run(old_url, "UPDATE rentals SET ends_at = '2026-11-24 18:00:00.000000'", given)
    database = await Database.open(old_url, claimant="test", clock=clock)
    async with database.read() as tx:
        rental = await tx.rentals.get("k7mq2")
    assert rental is not None
    lease = rental.running_lease
    moments = {
        "ready_at": lease.ready_at,
        "two hours before": lease.ends_at - 2 * HOUR,
        "ends_at": lease.ends_at,
    }
    assert lease.notices_checked_at == moments[checked]
    await database.close()


async def test_the_store_reads_and_writes_an_upgraded_database(old_url: str, clock: MovedClock) -> None:
    database = await Database.open(old_url, claimant="test", clock=clock)
    async with database.read() as tx:
        rental = await tx.rentals.get("k7mq2")
        first, second = await tx.rentals.attempts("k7mq2")
        gone, alive = await tx.rentals.resources("k7mq2")
        (row,) = await tx.rentals.ledger("k7mq2")
        (cost,) = await tx.rentals.live_costs()
    assert rental is not None
    assert (rental.state, rental.rate) == (State.READY, Decimal(RATE))
    assert (first.state, second.state) == (AttemptState.GONE, AttemptState.BOUGHT)
    assert row == make.ledger_row(rate=Decimal("2.150"))
    assert (gone.resource_id, alive.resource_id) == ("res-1", "res-2")
    assert cost.billed == 2_150_000
    assert cost.alive == (
        Billing(
            rate=None,
            valid_from=None,
            valid_to=None,
            offer_rate=second.called_offer.rate,
            intended_at=START + HOUR,
            billed_to=None,
        ),
    )
    assert str(cost.alive[0].offer_rate) == RATE

    third = make.attempt(n=3, state=AttemptState.FAILED)
    again = make.ledger_row(n=2, started_at=row.ended_at, ended_at=row.ended_at + HOUR, amount=1)
    after = make.next_of(rental, attempts=3)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=after, attempts=(third,), ledger=(again, row)))
    async with database.read() as tx:
        assert await tx.rentals.ledger("k7mq2") == [row, again]
        assert (await tx.rentals.attempts("k7mq2"))[2] == third
    await database.close()


@pytest.mark.parametrize("schema", ["0002", "0003", "0004"])
async def test_rentals_in_every_state_are_read_and_written_after_an_upgrade(
    old_url: str, clock: MovedClock
) -> None:
    _, _, before = await whole_database(old_url)
    ids = [row["id"] for row in before["rentals"]]
    database = await Database.open(old_url, claimant="test", clock=clock)
    found = []
    for rental_id in ids:
        async with database.write() as tx:
            rental = await tx.rentals.get(rental_id)
            assert rental is not None
            assert await tx.quotes.get(rental.quote_id or "") is not None
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
async def test_a_machine_of_an_older_version_is_overdue_from_its_end_on(
    old_url: str, clock: MovedClock, schema: str
) -> None:
    _, _, before = await whole_database(old_url)
    database = await Database.open(old_url, claimant="test", clock=clock)
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


@each_schema
async def test_references_are_checked_after_an_upgrade(old_url: str, clock: MovedClock) -> None:
    database = await Database.open(old_url, claimant="test", clock=clock)

    async def orphan() -> None:
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=make.rental("other", quote_id="no such quote")))

    with pytest.raises(IntegrityError):
        await orphan()
    await database.close()


async def test_an_upgrade_that_fails_half_way_changes_nothing_and_can_be_repeated(old_url: str) -> None:
    # The migration replaces the ledger before it reaches the attempts.
    await run(old_url, """UPDATE attempts SET offer = replace(offer, '"rate"', '"price"') WHERE n = 2""")
    before = await whole_database(old_url)
    with pytest.raises(KeyError, match="rate"):
        await migrate(old_url)
    assert await whole_database(old_url) == before
    await run(old_url, """UPDATE attempts SET offer = replace(offer, '"price"', '"rate"')""")
    await migrate(old_url)
    assert (await whole_database(old_url))[2]["alembic_version"] == [{"version_num": HEAD}]


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_file_with_a_row_that_refers_to_nothing_is_left_as_it_was(old_url: str) -> None:
    # A connection of sqlite3 checks no references by default.
    with closing(sqlite3.connect(old_url.removeprefix("sqlite:///"), isolation_level=None)) as shell:
        shell.execute("DELETE FROM resources WHERE resource_id = 'res-1'")
    before = await whole_database(old_url)
    with pytest.raises(CannotOpen, match="ledger has a row whose row in resources is missing") as refused:
        await migrate(old_url)
    assert len(refused.value.words.splitlines()) == 1
    assert await whole_database(old_url) == before
