"""Requests with a named end: the machine ends no later, and none is bought shortly before that end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import Mistake, TooLate
from bot.lifecycle.actions import deciding
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Decider, Rental
from bot.model.state import State
from bot.policy.team.rules import Lease
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, SECOND, World, world
from tests.rentals import ending, waiting


async def waits_for_later_end(here: World, rental: Rental) -> Rental:
    """Check that a rental waits for its owner to name a later end, and that it has no machine.

    Return the rental.
    """
    rental = await here.rental(rental.id)
    assert rental.state is State.AWAITING_APPROVAL
    assert (waiting(rental).decider, waiting(rental).why) == (Decider.OWNER, Why.TOO_LITTLE_TIME)
    assert (await here.direct(rental))[-1] == (ANA.id, E.ASKED_AGAIN)
    assert await here.alive() == []
    return rental


async def test_a_machine_ends_at_the_end_that_its_owner_named(here: World) -> None:
    """The hours of the lease count from the request."""
    until = here.now + 3 * HOUR
    quote = await here.ask(until=until)
    assert quote.request.lease == 3 * HOUR
    here.jump(10 * MINUTE)
    rental = await here.until(await here.rent(quote), State.READY)
    assert rental.terms.lease == 3 * HOUR
    assert rental.running_lease.ends_at == until
    assert (await here.last_event(rental, E.READY)).facts.until == until
    await here.be_down(until - HOUR - here.now)
    await here.pass_time(HOUR)
    rental = await here.until(rental, State.DESTROYED)
    assert (ending(rental).since, ending(rental).why) == (until, Why.LEASE_ENDED)
    assert await here.bill() <= rental.terms.total
    await check(here)


async def test_a_machine_billed_longer_than_planned_still_ends_as_named(here: World) -> None:
    until = here.now + 6 * HOUR
    rental = await here.until(await here.get(until=until), State.PROVISIONING)
    await here.be_down(4 * HOUR)
    rental = await here.until(rental, State.READY)
    assert rental.running_lease.ends_at == until


async def test_an_extension_moves_the_end_past_the_named_one(here: World) -> None:
    until = here.now + 2 * HOUR
    rental = await here.extend(await here.ready(until=until), HOUR)
    await here.be_down(until - HOUR - here.now)
    await here.pass_time(HOUR + MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.running_lease.ends_at) == (State.READY, until + HOUR)


@pytest.mark.parametrize("left", [30 * MINUTE, 30 * MINUTE - SECOND])
async def test_an_offer_can_be_rented_until_half_an_hour_before_the_end(here: World, left: timedelta) -> None:
    quote = await here.ask(until=here.now + 45 * MINUTE)
    here.jump(45 * MINUTE - left)
    if left == 30 * MINUTE:
        assert (await here.rent(quote)).state is State.PROVISIONING
        return
    with pytest.raises(Mistake, match="Less than 30 min is left"):
        await here.rent(quote)
    with pytest.raises(Mistake, match="Less than 30 min is left"):
        await here.ask(until=here.now + left)
    assert await here.rentals() == []


async def test_a_purchase_too_late_for_its_named_end_asks_the_owner(here: World) -> None:
    rental = await here.rent(await here.ask(until=here.now + 40 * MINUTE), settle=False)
    await here.be_down(10 * MINUTE + SECOND)
    rental = await waits_for_later_end(here, rental)
    assert await here.calls("procure_offer") == []
    with pytest.raises(TooLate, match="You can name a later end"):
        await here.approve(rental, ANA)
    assert (await here.rental(rental.id)).version == rental.version
    quote = await here.ask(until=here.now + 2 * HOUR, changes=rental.id)
    rental = await here.until(await here.rent(quote), State.READY)
    assert rental.running_lease.ends_at == quote.request.until
    await check(here)


async def test_no_further_attempt_is_made_too_late_for_the_named_end(here: World) -> None:
    await here.behaves("hyperstack", "slow")
    rental = await here.get(until=here.now + 44 * MINUTE)
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert await here.bought() == ["hyperstack"]
    assert (await here.last_event(rental, E.GIVEN_UP)).facts.why is Why.TOO_SLOW
    await here.pass_time(5 * MINUTE)
    rental = await here.deny(await waits_for_later_end(here, rental))
    assert rental.state is State.DENIED
    await check(here)


async def test_a_machine_ready_too_late_for_its_end_is_given_up(here: World) -> None:
    """The machine becomes ready while the bot is down, and would end later than its owner requested."""
    rental = await here.until(await here.get(until=here.now + 40 * MINUTE), State.PROVISIONING)
    await here.be_down(40 * MINUTE - RULES.lease.grace)
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert E.READY not in await here.event_kinds(rental)
    await here.pass_time(5 * MINUTE)
    await waits_for_later_end(here, rental)
    await check(here)


async def test_a_machine_ready_at_the_last_moment_ends_at_the_named_end(here: World) -> None:
    until = here.now + 40 * MINUTE
    rental = await here.until(await here.get(until=until), State.PROVISIONING)
    await here.be_down(until - RULES.lease.grace - here.now - 30 * SECOND)
    rental = await here.until(rental, State.READY)
    assert rental.running_lease.ends_at == until
    await here.pass_time(until - here.now)
    assert ending(await here.rental(rental.id)).since == until


async def test_an_approval_too_late_for_the_named_end_asks_the_owner(here: World) -> None:
    rental = await here.get(count=8, until=here.now + 2 * HOUR)
    here.jump(90 * MINUTE + SECOND)
    with pytest.raises(TooLate, match="Less than 30 min is left until the end of this request"):
        await here.approve(rental)
    await here.settle()
    rental = await waits_for_later_end(here, rental)
    assert (rental.approved_by, rental.terms.version) == (None, 2)
    assert await here.event_kinds(rental) == [E.ASKED, E.ASKED_AGAIN]
    assert await here.calls("procure_offer") == []
    for person in (BEN, CLEO):
        with pytest.raises(Exception, match="Only the person who asked can decide about"):
            await carry_out(here.deps, person, deciding.Approve(rental.id, 2))
    # Like any other request over the limits, a later end needs an approver.
    rental = await here.rent(await here.ask(count=8, until=here.now + 3 * HOUR, changes=rental.id))
    assert (rental.state, waiting(rental).decider) == (State.AWAITING_APPROVAL, Decider.APPROVER)
    rental = await here.until(await here.approve(rental), State.READY)
    assert rental.running_lease.ends_at == rental.request.until
    await check(here)


async def test_a_long_grace_period_still_leaves_time_to_start(sqlite_url: str) -> None:
    rules = changed(RULES, lease=Lease(grace=2 * HOUR))
    async with world(sqlite_url, rules=rules) as here:
        rental = await here.ready(until=here.now + 31 * MINUTE)
        assert rental.running_lease.ends_at == rental.request.until


async def test_searches_that_differ_only_in_their_ends_share_a_call(here: World) -> None:
    await here.ask(until=here.now + HOUR)
    await here.ask(until=here.now + 2 * HOUR, note="run 7")
    await here.ask()
    assert len(await here.calls("get_offers")) == 1
