"""Requests that always need approval (policy key `approval.always`), however little they cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import Refused, TooLate
from bot.lifecycle.actions import deciding
from bot.lifecycle.actions.action import carry_out
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Decider, Rental
from bot.model.state import State
from bot.policy.team.rules import Always, Approval, Budgets, Rules, WhenOver
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.leases import end_of
from tests.lifecycle.test_steps_replacing import click, lost, replaced
from tests.lifecycle.test_waiting import EVERY, free, sold_out, waits
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, RULES, World, world
from tests.rentals import waiting

ALWAYS = changed(RULES, approval=Approval(always=Always(models=("H100",), gpus_from=8)))


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    async with world(sqlite_url, rules=ALWAYS) as made:
        yield made
        await check(made)
        await check_delivered(made)


def use(here: World, rules: Rules) -> None:
    here.restart(replace(here.deps, rules=rules))


async def ready(here: World, **fields: Any) -> Rental:
    """Return an approved machine."""
    return await here.until(await here.approve(await here.get(**fields)), State.READY)


async def test_now_shows_the_offers_and_the_click_asks_an_approver(here: World) -> None:
    quote = await here.ask(now=True, lease=HOUR)
    assert quote.rental_id is None
    rental = await here.rent(quote)
    assert (rental.state, waiting(rental).decider) == (State.AWAITING_APPROVAL, Decider.APPROVER)
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, ANA)
    rental = await here.until(await here.approve(rental), State.READY)
    assert rental.approved_by == BEN.id


@pytest.mark.parametrize("self_approval", [False, True])
async def test_approvers_decide_their_own_requests_only_with_self_approval(
    here: World, self_approval: bool
) -> None:
    use(here, changed(ALWAYS, self_approval=self_approval))
    rental = await here.get(person=BEN)
    assert rental.state is State.AWAITING_APPROVAL
    if self_approval:
        assert (await here.approve(rental, BEN)).approved_by == BEN.id
    else:
        with pytest.raises(Refused, match="Another approver"):
            await here.approve(rental, BEN)


async def test_fewer_hours_are_approved_but_never_rented_without_approval(here: World) -> None:
    rental = await here.get(lease=6 * HOUR)
    rental = await here.rent(await here.ask(lease=2 * HOUR, changes=rental.id))
    assert (rental.state, rental.terms.lease) == (State.AWAITING_APPROVAL, 2 * HOUR)
    await carry_out(here.deps, BEN, deciding.Approve(rental.id, rental.terms.version, length=HOUR))
    rental = await here.until(rental, State.READY)
    assert end_of(rental) == rental.running_lease.ready_at + HOUR
    # An approver isn't asked about more time within the limits.
    assert end_of(await here.extend(rental, HOUR)) == end_of(rental) + HOUR


async def test_a_pricier_offer_is_decided_by_an_approver_again(here: World) -> None:
    await here.behaves("hyperstack", "sold_out")
    await here.behaves("nebius", "sold_out")
    rental = await here.until(await here.approve(await here.get()), State.AWAITING_APPROVAL)
    assert waiting(rental).decider is Decider.APPROVER
    assert (await here.approve(rental)).vendor == "scaleway"


async def test_a_waitlist_entry_is_approved_before_it_waits(here: World) -> None:
    await sold_out(here)
    _, rental = await waits(here)
    assert rental.state is State.AWAITING_APPROVAL
    await free(here)
    await here.pass_time(3 * EVERY)
    assert await here.bought() == []
    await here.until(await here.approve(rental), State.READY)


async def test_a_waitlist_entry_from_before_the_rule_is_not_rented(here: World) -> None:
    use(here, RULES)
    await sold_out(here)
    _, rental = await waits(here)
    assert rental.state is State.QUEUED
    use(here, ALWAYS)
    await free(here)
    rental = await here.until_event(rental, E.NOT_ALLOWED_NOW)
    assert (await here.last_event(rental, E.NOT_ALLOWED_NOW)).facts.detail == "This now needs approval."
    assert (rental.state, await here.bought()) == (State.QUEUED, [])


# --- replacements


async def test_a_broken_machine_runs_until_its_approved_replacement_is_bought(here: World) -> None:
    rental = await ready(here, lease=6 * HOUR)
    new = await replaced(here, rental, reason="no GPU in it")
    assert (new.state, new.replaces, new.approved_by) == (State.AWAITING_APPROVAL, rental.id, None)
    asked = await here.last_event(new, E.ASKED)
    assert (asked.facts.name, asked.facts.people != (), asked.facts.read_at) == (rental.id, True, here.now)
    await here.pass_time(30 * MINUTE)
    assert (await here.rental(rental.id)).state is State.READY
    assert await here.bought() == [rental.vendor]
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(new, ANA)
    new = await here.until(await here.approve(new), State.READY)
    assert new.approved_by == BEN.id
    await here.until(rental, State.DESTROYED)
    assert len(await here.bought()) == 2


async def test_a_machine_whose_replacement_was_denied_keeps_running(here: World) -> None:
    rental = await ready(here, lease=6 * HOUR)
    new = await replaced(here, rental, reason="no GPU in it")
    with pytest.raises(TooLate, match=f"{new.id} already replaces {rental.id}"):
        await click(here, rental)
    assert (await here.deny(new)).state is State.DENIED
    await here.pass_time(5 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.replaced_by) == (State.READY, None)
    assert (await here.last_event(rental, E.NOT_REPLACED)).facts.name == new.id


async def test_the_replacement_of_a_lost_machine_may_be_approved_for_fewer_hours(here: World) -> None:
    use(here, RULES)
    rental = await lost(here)
    use(here, ALWAYS)
    new = await replaced(here, rental)
    assert new.state is State.AWAITING_APPROVAL
    await carry_out(here.deps, BEN, deciding.Approve(new.id, new.terms.version, length=2 * HOUR))
    new = await here.until(new, State.READY)
    assert (new.request.lease, new.approved_by) == (2 * HOUR, BEN.id)


async def test_until_a_replacement_is_approved_the_old_machine_stays_reserved(here: World) -> None:
    """The budget has no room for two whole machines."""
    budget = Budgets(person=Decimal(25), over=WhenOver.REFUSE)
    use(here, changed(ALWAYS, budgets=budget))
    rental = await ready(here, lease=6 * HOUR)
    before = await reserved(here, rental)
    new = await replaced(here, rental, reason="no GPU in it")
    assert (await reserved(here, rental), await reserved(here, new)) == (before, 0)
    await carry_out(here.deps, BEN, deciding.Approve(new.id, new.terms.version))
    assert await reserved(here, rental) < before
    assert await reserved(here, new) == new.terms.total
    assert before + new.terms.total > 25_000_000
    await here.until(rental, State.DESTROYED)


async def reserved(here: World, rental: Rental) -> int:
    async with here.deps.store.read() as tx:
        return sum(one.amount for one in await tx.budgets.reservations(rental.id))
