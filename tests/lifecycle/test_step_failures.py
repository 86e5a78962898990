"""Alerts about a rental whose step fails several times in a row, and about the first step that works again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from bot.errors import ClaimLost, Outage, StoreBusy
from bot.lifecycle.loops.step_failures import StepFailures
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.quote import QuoteState
from bot.model.records import ClaimedRental
from bot.model.state import State
from tests.databases import beside
from tests.lifecycle.checks import ends_as
from tests.lifecycle.failing import break_steps
from tests.lifecycle.leases import end_of
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, SECOND, World

pytestmark = pytest.mark.usefixtures("logs")
GRACE = 15 * MINUTE


async def test_people_are_notified_of_three_failed_steps_in_a_row(here: World, logs: list[Any]) -> None:
    """The notice is repeated every two hours, and contains the number that is in the log."""
    rental = await here.ready(lease=6 * HOUR)
    market = break_steps(here)
    await here.pass_time(HOUR)
    failed = [line for line in logs if line["event"] == "step.failed"]
    assert len(failed) > 3
    (number,) = {line["number"] for line in failed}
    notices = await here.notices(E.STEP_FAILED)
    assert [person for person, _ in notices] == [ANA.id, CLEO.id]
    facts = notices[0][1].facts
    assert (facts.name, facts.number, facts.count) == (rental.id, number, 3)
    assert facts.until == end_of(rental) + 2 * GRACE
    assert (await here.rental(rental.id)).version == rental.version

    # A restart neither repeats the notice nor forgets that the step failed.
    here.restart(here.deps)
    await here.pass_time(10 * MINUTE)
    assert len(await here.notices(E.STEP_FAILED)) == 2
    await here.pass_time(3 * HOUR + 20 * MINUTE)
    assert len(await here.notices(E.STEP_FAILED)) == 2 * 3
    market.broken = False
    await here.pass_time(10 * MINUTE)
    recovered = await here.notices(E.STEP_WORKS)
    assert [(person, event.facts.number) for person, event in recovered] == [(ANA.id, number), (CLEO.id, number)]
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_only_one_of_two_processes_notifies_people_of_failed_steps(here: World) -> None:
    rental = await here.ready()
    row = ClaimedRental(
        id=rental.id,
        due_at=here.now,
        version=rental.version,
        state=rental.state,
        owner=rental.owner,
        accepted_at=rental.accepted_at,
        ends_at=end_of(rental),
    )
    one, other = StepFailures(here.deps), StepFailures(replace(here.deps, store=beside(here.database)))
    for failures in (one, other):
        for _ in range(3):
            failures.count(rental.id)
        await failures.notify(row)
    failed = await here.notices(E.STEP_FAILED)
    assert [person for person, _ in failed] == [ANA.id, CLEO.id]
    for failures in (other, one):
        await failures.end_run(row)
    works = await here.notices(E.STEP_WORKS)
    number = failed[0][1].facts.number
    assert [(person, event.facts.number) for person, event in works] == [(ANA.id, number), (CLEO.id, number)]
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_nobody_is_notified_of_two_failed_steps(here: World) -> None:
    rental = await here.ready()
    market = break_steps(here)
    await here.pass_time(4 * MINUTE + 30 * SECOND)
    market.broken = False
    await here.pass_time(10 * MINUTE)
    assert await here.notices(E.STEP_FAILED) + await here.notices(E.STEP_WORKS) == []
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


@pytest.mark.parametrize("error", [StoreBusy("busy"), ClaimLost()], ids=lambda error: type(error).__name__)
async def test_a_busy_store_does_not_count_as_a_failed_step(here: World, error: Outage) -> None:
    """The self-check looks into the store immediately, and reports it for the whole bot."""
    rental = await here.ready(lease=6 * HOUR)
    market, outages = break_steps(here, error), []
    here.engine.steps.on_outage = lambda: outages.append(here.now)
    await here.pass_time(10 * MINUTE)
    assert len(outages) > 3
    market.broken = False
    await here.pass_time(10 * MINUTE)
    assert await here.notices(E.STEP_FAILED) + await here.notices(E.STEP_WORKS) == []
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def execute(here: World, statement: str, of: str) -> None:
    """Change the database directly, without the bot."""
    async with here.database.engines.writer.begin() as conn:
        await conn.execute(text(statement), {"of": of})
        await conn.commit()


async def test_a_rental_that_cannot_be_loaded_is_reported_and_deleted(here: World) -> None:
    """Other rentals aren't affected."""
    rental, other = await here.ready(), await here.ready(person=BEN)
    found = await here.quote(rental.quote_id or "")
    broken = changed(found, id="broken", due_at=here.now, rental_id=None, state=QuoteState.LOOKING)
    async with here.deps.store.write() as tx:
        await tx.quotes.add(broken)
    await execute(
        here, "UPDATE rentals SET envelope = substr(envelope, 2), state = 'odd' WHERE id = :of", rental.id
    )
    await execute(here, "UPDATE quotes SET request = substr(request, 2) WHERE id = :of", "broken")
    await here.pass_time(10 * MINUTE)
    assert [person for person, _ in await here.notices(E.STEP_FAILED)] == [ANA.id, CLEO.id]
    await here.be_down(HOUR)
    await here.until(other, State.DESTROYED, within=2 * HOUR)
    assert await here.notices(E.DELETED_OVERDUE) == []
    await here.pass_time(HOUR)
    assert [person for person, _ in await here.notices(E.DELETED_OVERDUE)] == [ANA.id, CLEO.id]
    assert await here.alive() == []

    # Once the rental can be read again, it continues, and so does the quote.
    await execute(here, "UPDATE rentals SET envelope = '{' || envelope, state = 'ready' WHERE id = :of", rental.id)
    await execute(here, "UPDATE quotes SET request = '{' || request WHERE id = :of", "broken")
    await here.until(rental, State.DESTROYED)
    ledger = await here.ledger(rental) + await here.ledger(other)
    assert sum(row.amount for row in ledger) == await here.bill()
    assert (await here.quote("broken")).due_at is None
