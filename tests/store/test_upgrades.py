"""The database of each release is brought to the newest schema with all that it has, and is read and written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from bot.clock import MovedClock
from bot.lifecycle.ports.records import Change
from bot.model.state import State
from store.db import Database, migrate
from store.migrations import HEAD
from tests.store import make
from tests.store.released import RELEASED
from tests.store.schemas import at, contents, engine


async def rows_of(url: str) -> dict[str, list[dict[str, Any]]]:
    database = engine(url)
    found = await at(database, contents)
    await database.dispose()
    return found


def test_each_revision_before_the_newest_has_a_dump() -> None:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert revisions - {HEAD} <= set(RELEASED) <= revisions


async def test_an_upgrade_keeps_every_row(released_url: str) -> None:
    before = await rows_of(released_url)
    await migrate(released_url)
    after = await rows_of(released_url)
    assert after["alembic_version"] == [{"version_num": HEAD}]
    for name in before.keys() - {"alembic_version"}:
        assert before[name], f"the dump has no row of {name}"
        columns = before[name][0].keys() & after[name][0].keys()
        assert [{column: row[column] for column in columns} for row in after[name]] == [
            {column: row[column] for column in columns} for row in before[name]
        ]


async def test_rentals_in_every_state_are_read_and_written_after_an_upgrade(
    released_url: str, clock: MovedClock
) -> None:
    before = await rows_of(released_url)
    database = await Database.open(released_url, claimant="test", clock=clock)
    found = set()
    for row in before["rentals"]:
        async with database.write() as tx:
            rental = await tx.rentals.get(row["id"])
            assert rental is not None
            assert (rental.quote_id is None) == (await tx.quotes.get(rental.quote_id or "") is None)
            again = Change(
                before=rental,
                after=make.next_of(rental),
                attempts=tuple(await tx.rentals.attempts(rental.id)),
                resources=tuple(await tx.rentals.resources(rental.id)),
                ledger=tuple(await tx.rentals.ledger(rental.id)),
                events=(make.event(rental_id=rental.id),),
            )
            await tx.rentals.apply(again)
            found.add(rental.state)
        async with database.read() as tx:
            assert await tx.rentals.get(rental.id) == again.after
            assert await tx.events.of(rental.id)
    assert found == set(State)
    async with database.read() as tx:
        for message_id in range(1, len(before["messages"]) + 1):
            assert await tx.messages.get(message_id) is not None
        for question in before["admin_questions"]:
            assert await tx.questions.get(question["id"]) is not None
    await database.close()


async def test_a_machine_of_an_earlier_release_is_overdue_from_its_end_on(
    released_url: str, clock: MovedClock
) -> None:
    before = await rows_of(released_url)
    database = await Database.open(released_url, claimant="test", clock=clock)
    states = set()
    async with database.read() as tx:
        for row in before["rentals"]:
            rental = await tx.rentals.get(row["id"])
            assert rental is not None
            if rental.state.over or all(one.settled for one in await tx.rentals.attempts(rental.id)):
                continue
            start = rental.accepted_at or rental.created_at
            ends_at = rental.lease.ends_at if rental.lease else None
            end = (rental.ending.since if rental.ending else None) or ends_at or start
            early, due = await tx.overdue.past_end(end - timedelta(seconds=1)), await tx.overdue.past_end(end)
            assert rental.id not in {one.rental_id for one in early}
            assert [one for one in due if one.rental_id == rental.id and one.newest]
            states.add(rental.state)
    assert states >= {State.PROCURING, State.PROVISIONING, State.READY, State.DESTROYING}
    await database.close()


async def test_references_are_checked_after_an_upgrade(released_url: str, clock: MovedClock) -> None:
    database = await Database.open(released_url, claimant="test", clock=clock)

    async def orphan() -> None:
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=make.rental("other", quote_id="no such quote")))

    with pytest.raises(IntegrityError):
        await orphan()
    await database.close()
