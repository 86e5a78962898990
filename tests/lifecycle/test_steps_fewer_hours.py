"""Approvals of fewer hours than requested."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import Refused, RequestChanged, TooLate
from bot.lifecycle.actions import deciding
from bot.lifecycle.actions.action import carry_out
from bot.model.event import EventKind as E
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.checks import check
from tests.lifecycle.leases import destroyed_at, end_of, waiting_for_extension
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, World


async def lengths(here: World, rental: Rental) -> dict[timedelta, int]:
    """Return the lengths that Ben may choose from, with their totals in cents."""
    version = rental.newest_terms.version
    _, choices = await deciding.fewer_hours_to_choose(here.deps, BEN, rental.id, version)
    return {one.length: one.terms.total // 10_000 for one in choices}


async def approve(here: World, rental: Rental, length: timedelta, person: Person = BEN) -> Rental:
    version = rental.newest_terms.version
    await carry_out(here.deps, person, deciding.Approve(rental.id, version, length=length))
    await here.settle()
    return await here.rental(rental.id)


async def test_a_machine_runs_for_the_fewer_hours_that_were_approved(here: World) -> None:
    """The machine costs no more than the total of the fewer hours."""
    rental = await here.get(count=8, lease=6 * HOUR)
    assert await lengths(here, rental) == {4 * HOUR: 9522, 2 * HOUR: 5290, HOUR: 3174}
    before = rental.terms
    rental = await here.until(await approve(here, rental, 4 * HOUR), State.READY)
    assert (rental.approved_by, rental.request.lease) == (BEN.id, 4 * HOUR)
    assert (rental.terms.lease, rental.terms.total) == (4 * HOUR, 95_220_000)
    assert (rental.terms.max_rate, rental.terms.price) == (before.max_rate, before.price)
    assert end_of(rental) == rental.running_lease.ready_at + 4 * HOUR
    facts = (await here.last_event(rental, E.APPROVED)).facts
    assert (facts.span, facts.asked_span, facts.total) == (4 * HOUR, 6 * HOUR, 95_220_000)
    assert await here.direct(rental) == [(ANA.id, E.APPROVED), (ANA.id, E.READY)]
    await destroyed_at(here, rental)
    assert await here.bill() <= rental.terms.total
    await check(here)


async def test_an_approval_of_fewer_hours_is_notified_only_once(here: World) -> None:
    await here.behaves("hyperstack", "slow")
    rental = await approve(here, await here.get(count=8, lease=6 * HOUR), 2 * HOUR)
    await here.pass_time(HOUR)
    assert E.APPROVED_NOT_READY not in await here.event_kinds(rental)


@pytest.mark.parametrize("length", [6 * HOUR, 7 * HOUR, timedelta(0)])
async def test_an_approver_cannot_approve_more_hours_than_requested(here: World, length: timedelta) -> None:
    rental = await here.get(count=8, lease=6 * HOUR)
    with pytest.raises(TooLate, match="be approved for that long"):
        await approve(here, rental, length)
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_only_approvers_approve_fewer_hours_of_the_version_they_saw(here: World) -> None:
    rental = await here.get(count=8, lease=6 * HOUR)
    for person in (ANA, CLEO):
        with pytest.raises(Refused, match="Only approvers"):
            await approve(here, rental, 2 * HOUR, person)
        with pytest.raises(Refused, match="Only approvers"):
            await deciding.fewer_hours_to_choose(here.deps, person, rental.id, 1)
    with pytest.raises(RequestChanged):
        await carry_out(here.deps, BEN, deciding.Approve(rental.id, 2, length=2 * HOUR))


async def test_fewer_hours_shorten_a_flexible_end_down_to_its_earliest_end(here: World) -> None:
    rental = await here.get(count=8, lease=6 * HOUR, up_to=12 * HOUR)
    assert list(await lengths(here, rental)) == [8 * HOUR, 6 * HOUR]
    with pytest.raises(TooLate):
        await approve(here, rental, 4 * HOUR)
    shorter = await approve(here, rental, 8 * HOUR)
    assert (shorter.request.lease, shorter.request.up_to) == (6 * HOUR, 8 * HOUR)
    assert shorter.terms.lease == 8 * HOUR
    other = await approve(here, await here.get(count=8, gpu="H200", lease=6 * HOUR, up_to=12 * HOUR), 6 * HOUR)
    assert (other.request.lease, other.request.up_to) == (6 * HOUR, None)


async def test_fewer_hours_of_a_named_end_count_from_the_approval(here: World) -> None:
    until = here.now + 6 * HOUR
    rental = await here.get(count=8, until=until)
    await here.pass_time(90 * MINUTE)
    assert list(await lengths(here, rental)) == [4 * HOUR, 2 * HOUR, HOUR]
    with pytest.raises(TooLate):
        await approve(here, rental, 5 * HOUR)
    approved_at = here.now
    rental = await here.until(await approve(here, rental, 2 * HOUR), State.READY)
    assert end_of(rental) == approved_at + 2 * HOUR


async def test_fewer_hours_keep_a_named_earliest_end(here: World) -> None:
    first = here.now + 4 * HOUR
    rental = await here.get(count=8, until=first, lease=4 * HOUR, up_to=10 * HOUR)
    await here.pass_time(30 * MINUTE)
    assert list(await lengths(here, rental)) == [8 * HOUR, 4 * HOUR, 3 * HOUR + 30 * MINUTE]
    now = here.now
    rental = await approve(here, rental, 8 * HOUR)
    assert (rental.request.until, rental.request.last_end) == (first, now + 8 * HOUR)


async def test_an_approver_can_shorten_a_requested_extension(here: World) -> None:
    rental = await waiting_for_extension(here)
    ends, asked = end_of(rental), rental.newest_terms
    assert list(await lengths(here, rental)) == [12 * HOUR, 8 * HOUR, 4 * HOUR, 2 * HOUR, HOUR]
    rental = await approve(here, rental, 8 * HOUR)
    assert (end_of(rental), rental.extension) == (ends + 8 * HOUR, None)
    assert (rental.terms.version, rental.terms.lease) == (asked.version, 32 * HOUR)
    assert rental.terms.total < asked.total
    assert (await here.direct(rental))[-1] == (ANA.id, E.EXTENSION_APPROVED)
    facts = (await here.last_event(rental, E.EXTENSION_APPROVED)).facts
    assert (facts.span, facts.asked_span, facts.until) == (8 * HOUR, 24 * HOUR, ends + 8 * HOUR)
    assert await destroyed_at(here, rental) == ends + 8 * HOUR
    await check(here)
