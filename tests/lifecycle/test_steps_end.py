"""The end of a lease: its notices, and the time at which the machine is destroyed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model.event import EventKind as E
from tests.lifecycle.leases import be_down_until, count, destroyed_at, end_of, waiting_for_extension
from tests.lifecycle.world import HOUR, MINUTE, SECOND, World

GRACE = 15 * MINUTE


async def test_a_twelve_hour_lease_has_two_notices_and_ends_on_time(
    here: World,
) -> None:
    """The notices come two hours and half an hour before the end."""
    rental = await here.ready(lease=12 * HOUR)
    ends = end_of(rental)
    for ahead, notices in ((2 * HOUR, 1), (31 * MINUTE, 1), (30 * MINUTE, 2), (SECOND, 2)):
        await be_down_until(here, ends - ahead - SECOND)
        before = await count(here, rental, E.ENDING)
        await here.pass_time(SECOND)
        assert await count(here, rental, E.ENDING) == notices >= before
    event = await here.last_event(rental, E.ENDING)
    assert (event.facts.until, event.facts.span) == (ends, 30 * MINUTE)
    assert await destroyed_at(here, rental) == ends


@pytest.mark.parametrize("how", ["extended by its owner", "approved"])
async def test_a_notice_is_skipped_if_the_owner_has_just_set_that_end(here: World, how: str) -> None:
    """The last notice is never skipped."""
    rental = await here.ready(lease=24 * HOUR if how == "approved" else 12 * HOUR)
    await be_down_until(here, end_of(rental) - 30 * MINUTE)
    notices = await count(here, rental, E.ENDING)
    if how == "approved":
        rental = await here.approve(await here.extend(rental, 24 * HOUR))
        await be_down_until(here, end_of(rental) - 2 * HOUR - 30 * MINUTE)
        rental = await here.approve(await here.extend(rental, 3 * MINUTE))
    else:
        rental = await here.extend(rental, 2 * HOUR)
    ends = end_of(rental)
    await here.pass_time(ends - here.now - 2 * HOUR + MINUTE)
    await be_down_until(here, ends - 30 * MINUTE - SECOND)
    notices += how == "approved"  # nobody pinged its owner of an end that another person set
    assert await count(here, rental, E.ENDING) == notices
    await here.pass_time(SECOND)
    assert await count(here, rental, E.ENDING) == notices + 1
    assert (await here.last_event(rental, E.ENDING)).facts.span == 30 * MINUTE
    assert await destroyed_at(here, rental) == ends


async def test_an_extension_by_a_few_minutes_causes_no_notice(here: World) -> None:
    rental = await waiting_for_extension(here)
    await be_down_until(here, end_of(rental) - 10 * MINUTE)
    notices = await count(here, rental, E.ENDING)
    await here.withdraw(rental)
    rental = await here.extend(rental, 10 * MINUTE)
    await here.pass_time(MINUTE)
    assert await count(here, rental, E.ENDING) == notices


async def test_an_unannounced_end_comes_one_grace_period_later(here: World) -> None:
    """The delay is the same if the notices and the question became due while the bot was down."""
    here.slack_is_down = True
    rental = await here.ready(lease=3 * HOUR)
    await be_down_until(here, end_of(rental))
    assert await here.event_kinds(rental) == [E.STARTED, E.RENTING, E.ACCEPTED, E.READY, E.ENDING]
    assert (await here.last_event(rental, E.ENDING)).facts.until == here.now + GRACE
    assert GRACE <= await destroyed_at(here, rental) - end_of(rental) <= GRACE + 20 * SECOND


async def test_the_rate_of_a_ready_rental_is_that_of_its_machine(here: World) -> None:
    rental = await here.ready()
    (machine,) = await here.alive()
    assert str(rental.rate) == str(machine["rate"])
    await here.pass_time(timedelta(minutes=7))
    assert (await here.rental(rental.id)).rate == rental.rate
