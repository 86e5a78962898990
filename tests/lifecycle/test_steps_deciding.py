"""Decisions about requests.

The first decision is about the request itself. A second one is needed if nothing can be bought under the approved
terms.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.errors import (
    AlreadyDecided,
    BuyingBlock,
    BuyingBlocked,
    Decision,
    DuplicateRental,
    NeedsKey,
    Refused,
    RequestChanged,
    TooLate,
)
from bot.lifecycle.actions import account, deciding, quoting, renting
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Decider, Rental
from bot.model.state import State
from bot.policy.team.rules import Limits
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, SECOND, World, world
from tests.rentals import blocked, ending, waiting

# --- the first decision


async def test_a_request_over_the_limits_is_bought_only_after_an_approval(here: World) -> None:
    rental = await here.get(count=8, lease=6 * HOUR)
    assert (rental.state, waiting(rental).decider) == (State.AWAITING_APPROVAL, Decider.APPROVER)
    await here.pass_time(HOUR)
    assert await here.calls("procure_offer") == []
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, ANA)
    rental = await here.approve(rental)
    assert rental.approved_by == BEN.id
    rental = await here.until(rental, State.READY)
    assert rental.rate == Decimal("18.40")
    facts = (await here.last_event(rental, E.APPROVED)).facts
    assert (facts.max_rate, facts.self_approved) == (Decimal("21.16"), False)
    assert await here.direct(rental) == [(ANA.id, E.READY)]
    for person in (DORA, BEN):
        with pytest.raises(AlreadyDecided) as late:
            await carry_out(here.deps, person, deciding.Deny(rental.id, 1))
        assert (late.value.decision, late.value.name, late.value.own) == (Decision.APPROVED, "Ben", person == BEN)
        assert late.value.ago == here.now - (await here.last_event(rental, E.APPROVED)).at


async def test_an_approval_pings_the_owner_if_the_machine_is_not_ready_soon(
    here: World,
) -> None:
    """The ping comes if the machine isn't ready after 15 min."""
    await here.behaves("hyperstack", "slow")
    rental = await here.approve(await here.get(count=8, lease=2 * HOUR))
    approved = here.now
    await here.pass_time(15 * MINUTE - SECOND)
    assert await here.direct(rental) == []
    await here.pass_time(SECOND)
    assert await here.direct(rental) == [(ANA.id, E.APPROVED_NOT_READY)]
    assert (await here.last_event(rental, E.APPROVED_NOT_READY)).at == approved + 15 * MINUTE
    rental = await here.until(rental, State.READY)
    assert await here.direct(rental) == [(ANA.id, E.APPROVED_NOT_READY), (ANA.id, E.READY)]


async def test_nobody_is_notified_of_approving_their_own_request(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=changed(RULES, self_approval=True)) as here:
        await here.behaves("hyperstack", "slow")
        rental = await here.approve(await here.get(person=BEN, count=8, lease=2 * HOUR), BEN)
        rental = await here.until(rental, State.READY)
        assert await here.direct(rental) == [(BEN.id, E.READY)]


async def test_a_denied_request_ends_and_costs_nothing(here: World) -> None:
    rental = await here.deny(await here.get(count=8))
    assert (rental.state, rental.due_at) == (State.DENIED, None)
    assert await here.event_kinds(rental) == [E.ASKED, E.DENIED]
    assert await here.calls("procure_offer") == []


async def test_only_the_owner_or_an_admin_can_withdraw_a_request(here: World) -> None:
    rental = await here.get(count=8)
    with pytest.raises(Refused, match="Only its owner and admins"):
        await here.withdraw(rental, BEN)
    rental = await here.withdraw(rental)
    assert rental.state is State.WITHDRAWN
    assert await here.event_kinds(rental) == [E.ASKED, E.WITHDRAWN]


async def test_an_undecided_request_expires_and_its_owner_is_notified(here: World) -> None:
    rental = await here.get(count=8)
    await here.be_down(8 * HOUR - SECOND)
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL
    await here.be_down(SECOND)
    rental = await here.rental(rental.id)
    assert rental.state is State.EXPIRED
    assert await here.direct(rental) == [(ANA.id, E.EXPIRED)]
    with pytest.raises(TooLate, match="expired before anyone decided"):
        await here.approve(rental)


async def test_repeating_an_expired_changed_request_creates_a_new_rental(here: World) -> None:
    rental = await here.get(count=8)
    quote = await here.ask(count=8, lease=3 * HOUR, changes=rental.id)
    await here.rent(quote)
    assert (await quoting.quote_to_ask_again(here.deps, ANA, quote.id)).changes == rental.id
    await here.be_down(8 * HOUR)
    again = await quoting.quote_to_ask_again(here.deps, ANA, quote.id)
    assert (again.changes, again.request) == (None, quote.request)


async def test_nobody_gets_a_direct_message_about_their_own_action(sqlite_url: str) -> None:
    async with world(sqlite_url, rules=changed(RULES, self_approval=True)) as here:
        own = await here.approve(await here.get(person=BEN, count=8), BEN)
        assert (own.state, await here.direct(own)) == (State.PROVISIONING, [])
        back = await here.destroy(await here.get(count=8))
        assert (back.state, await here.direct(back)) == (State.WITHDRAWN, [])
        taken = await here.destroy(await here.get(count=8), BEN)
        assert (taken.state, await here.direct(taken)) == (State.WITHDRAWN, [(ANA.id, E.ENDED)])
        await here.until(await here.destroy(own, BEN), State.CANCELLED)
        assert await here.direct(own) == []


async def test_an_expired_request_cannot_be_decided_before_its_step_runs(here: World) -> None:
    rental = await here.get(count=8)
    here.jump(8 * HOUR)
    for decision in (deciding.Approve, deciding.Deny):
        with pytest.raises(TooLate, match="expired"):
            await carry_out(here.deps, BEN, decision(rental.id, 1))
    await here.settle()
    assert (await here.rental(rental.id)).state is State.EXPIRED


async def test_a_click_on_the_old_version_of_a_request_decides_nothing(here: World) -> None:
    rental = await here.get(count=8)
    quote = await here.ask(count=8, lease=3 * HOUR, region="US", changes=rental.id)
    changed = await here.rent(quote)
    assert changed.id == rental.id
    assert (changed.state, changed.terms.version) == (State.AWAITING_APPROVAL, 2)
    assert (changed.terms.region, changed.terms.lease) == ("US", 3 * HOUR)
    for decision in (deciding.Approve, deciding.Deny):
        with pytest.raises(RequestChanged):
            await carry_out(here.deps, BEN, decision(rental.id, 1))
    rental = await here.approve(rental)
    assert rental.state is State.PROVISIONING
    (attempt,) = await here.attempts(rental)
    assert (attempt.called_offer.region, attempt.called_offer.offer_id) == ("US", changed.clicked_offer)


async def test_a_request_changed_to_fit_the_limits_needs_no_approver(here: World) -> None:
    rental = await here.get(count=8)
    changed = await here.rent(await here.ask(count=1, changes=rental.id))
    assert (changed.id, changed.state, changed.decision) == (rental.id, State.PROVISIONING, None)
    (attempt,) = await here.attempts(rental)
    assert attempt.called_offer.offer_id == changed.clicked_offer
    assert await here.event_kinds(rental) == [E.ASKED, E.CHANGED, E.RENTING, E.ACCEPTED]
    with pytest.raises(TooLate, match="no longer waiting"):
        await here.rent(await here.ask(count=2, changes=rental.id))


# --- renting


async def test_a_quote_makes_one_rental_for_its_owner_while_prices_are_valid(here: World) -> None:
    quote = await here.ask()
    with pytest.raises(Refused, match="someone else"):
        await here.rent(quote, person=BEN)
    rental = await here.rent(quote)
    with pytest.raises(TooLate, match=rental.id):
        await here.rent(quote)
    late = await here.ask()
    here.jump(30 * MINUTE)
    with pytest.raises(TooLate, match="no longer valid"):
        await here.rent(late)


async def test_renting_the_same_again_needs_a_confirmation(here: World) -> None:
    rental = await here.get()
    quote = await here.ask()
    with pytest.raises(DuplicateRental) as caught:
        await carry_out(here.deps, ANA, renting.Rent(quote.id, quote.offers[0].offer_id))
    assert caught.value.rental_id == rental.id
    again = await here.rent(quote)
    assert again.id != rental.id


async def test_a_rental_that_is_being_destroyed_is_no_duplicate(here: World) -> None:
    await here.destroy(await here.get())
    quote = await here.ask()
    rental = (await carry_out(here.deps, ANA, renting.Rent(quote.id, quote.offers[0].offer_id))).rental
    await here.until(rental, State.READY)


async def test_renting_without_a_key_is_refused(here: World) -> None:
    quote = await here.ask()
    async with here.deps.store.write() as tx:
        await tx.quotes.add(changed(quote, id="q-dora", owner=DORA.id))
    with pytest.raises(NeedsKey):
        await carry_out(here.deps, DORA, renting.Rent("q-dora", quote.offers[0].offer_id))


async def test_now_rents_the_first_offer_immediately(here: World) -> None:
    quote = await here.ask(now=True)
    assert quote.rental_id is not None
    assert (await here.rental(quote.rental_id)).clicked_offer == quote.offers[0].offer_id


async def test_now_rents_nothing_that_needs_an_approval_or_a_confirmation(here: World) -> None:
    assert (await here.ask(now=True, count=8)).rental_id is None
    assert (await here.ask(now=True, lease=24 * HOUR)).rental_id is None


async def test_the_teams_limit_counts_the_highest_approved_prices(sqlite_url: str) -> None:
    rules = changed(RULES, limits=Limits(team_per_hour=Decimal("4.60")))
    async with world(sqlite_url, rules=rules) as here:
        rental = await here.get()
        assert rental.terms.max_rate == Decimal("2.47")
        with pytest.raises(Refused, match=r"\$2.13/h is left"):
            await here.get(person=BEN)
        await here.until(await here.destroy(rental), State.CANCELLED)
        assert (await here.get(person=BEN)).terms.max_rate == Decimal("2.47")
        await check(here)


# --- the second decision


async def test_if_no_offer_fits_the_approved_terms_the_owner_decides_again(here: World) -> None:
    await here.behaves("hyperstack", "sold_out")
    await here.behaves("nebius", "sold_out")
    rental = await here.until(await here.get(), State.AWAITING_APPROVAL)
    assert (waiting(rental).decider, waiting(rental).why) == (Decider.OWNER, Why.DEARER)
    assert (rental.terms.version, rental.terms.price) == (2, Decimal("3.11"))
    facts = (await here.last_event(rental, E.ASKED_AGAIN)).facts
    assert (facts.before, facts.rate, facts.vendor) == (Decimal("2.47"), Decimal("3.11"), "scaleway")
    assert (ANA.id, E.ASKED_AGAIN) in await here.direct(rental)
    with pytest.raises(Refused, match="Only the person who asked"):
        await here.approve(rental, BEN)
    rental = await here.approve(rental, ANA)
    assert (rental.state, rental.vendor, rental.approved_by) == (State.PROVISIONING, "scaleway", None)
    assert await here.bought() == ["scaleway"]


async def test_exceeding_terms_that_an_approver_approved_needs_another_approval(here: World) -> None:
    await here.behaves("hyperstack", "sold_out")
    await here.behaves("nebius", "sold_out")
    rental = await here.approve(await here.get(count=8))
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert (waiting(rental).decider, rental.terms.version) == (Decider.APPROVER, 2)
    with pytest.raises(RequestChanged):
        await carry_out(here.deps, BEN, deciding.Approve(rental.id, 1))
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, ANA)
    rental = await here.approve(rental)
    assert rental.vendor == "datacrunch"


async def test_an_undecided_second_request_expires(here: World) -> None:
    await here.behaves("hyperstack", "sold_out")
    await here.behaves("nebius", "sold_out")
    rental = await here.until(await here.get(), State.AWAITING_APPROVAL)
    await here.pass_time(3 * MINUTE)  # then both are proven to have sold nothing
    await here.be_down(8 * HOUR)
    assert (await here.rental(rental.id)).state is State.EXPIRED
    assert await here.bill() == 0


async def waiting_with_an_earlier_machine(here: World) -> Rental:
    """Return a rental whose owner has to decide again while the machine of an earlier attempt is still running."""
    await here.behaves("hyperstack", "fails_with_resource", times=1)
    await here.behaves("nebius", "sold_out")
    rental = await here.get()
    await here.behaves("hyperstack", "not_deleting", seconds=None)
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert len(await here.alive()) == 1
    return rental


@pytest.mark.parametrize("end", [State.WITHDRAWN, State.EXPIRED])
async def test_a_request_ends_only_once_its_earlier_machine_is_terminated(here: World, end: State) -> None:
    rental = await waiting_with_an_earlier_machine(here)
    if end is State.WITHDRAWN:
        await here.withdraw(rental)
    else:
        await here.be_down(8 * HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, ending(rental).outcome) == (State.DESTROYING, end)
    await here.behaves("hyperstack", "normal")
    rental = await here.until(rental, end)
    assert await here.alive() == []
    assert sum(row.amount for row in await here.ledger(rental)) == await here.bill() > 0


async def test_the_earlier_machine_is_deleted_after_another_offer_was_accepted(here: World) -> None:
    rental = await here.approve(await waiting_with_an_earlier_machine(here), ANA)
    assert (rental.state, rental.vendor) == (State.PROVISIONING, "scaleway")
    await here.behaves("hyperstack", "normal")
    await here.until(rental, State.READY)
    assert [machine["vendor"] for machine in await here.alive()] == ["scaleway"]


# --- buying is blocked


async def blocked_until_asked_again(here: World, rental: Rental, why: Why) -> Rental:
    """Check that a rental waits while buying is blocked, and that its owner has to decide again after 15 min.

    People must be notified only once. Returns the rental in its state after that.
    """
    rental = await here.rental(rental.id)
    assert (rental.state, blocked(rental).why) == (State.PROCURING, why)
    began = here.now
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert 14.5 <= (here.now - began).total_seconds() / 60 <= 15.5
    assert (waiting(rental).why, waiting(rental).decider) == (Why.BUYING_BLOCKED, Decider.OWNER)
    assert (await here.event_kinds(rental)).count(E.BLOCKED) == 1
    assert (await here.last_event(rental, E.BLOCKED)).facts.why is why
    assert await here.bought() == []
    return rental


async def test_after_a_pause_of_15_minutes_the_owner_decides_again(here: World) -> None:
    rental = await here.rent(await here.ask(), settle=False)
    assert await carry_out(here.deps, CLEO, account.Pause())
    await here.settle()
    rental = await blocked_until_asked_again(here, rental, Why.PAUSED)
    with pytest.raises(BuyingBlocked) as blocked:
        await here.approve(rental, ANA)
    assert blocked.value.block is BuyingBlock.PAUSED
    with pytest.raises(BuyingBlocked) as blocked:
        await here.get(person=BEN)
    assert blocked.value.block is BuyingBlock.PAUSED
    assert await carry_out(here.deps, CLEO, account.Resume())
    rental = await here.approve(rental, ANA)
    assert rental.state is State.PROVISIONING


async def test_after_a_short_pause_buying_continues(here: World) -> None:
    rental = await here.rent(await here.ask(), settle=False)
    await carry_out(here.deps, CLEO, account.Pause())
    await here.pass_time(5 * MINUTE)
    assert blocked(await here.rental(rental.id)).why is Why.PAUSED
    await carry_out(here.deps, CLEO, account.Resume())
    rental = await here.until(rental, State.PROVISIONING)
    assert rental.blocked is None


async def test_a_refused_token_blocks_buying_and_notifies_admins_once(here: World) -> None:
    """No rental fails because of it."""
    offers = await here.ask(CLEO)
    rental = await here.rent(await here.ask(), settle=False)
    await here.outside.control("token", valid=False)
    await here.settle()
    with pytest.raises(BuyingBlocked) as blocked:
        await here.rent(offers, person=CLEO)
    assert blocked.value.block is BuyingBlock.UNAUTHORIZED
    rental = await blocked_until_asked_again(here, rental, Why.UNAUTHORIZED)
    await here.outside.control("token", valid=True)
    await here.sweep()
    assert await here.account_event_kinds() == [E.UNAUTHORIZED, E.AUTHORIZED_AGAIN]
    rental = await here.approve(rental, ANA)
    assert rental.state is State.PROVISIONING


async def test_after_an_outage_of_15_minutes_the_owner_decides_again(here: World) -> None:
    quote = await here.ask()
    here.jump(29 * MINUTE + 45 * SECOND)
    await here.fault("get_offers", "status", status=503, times=None)
    rental = await blocked_until_asked_again(here, await here.rent(quote), Why.OUTAGE)
    await here.outside.http.delete("/_control/faults")
    rental = await here.approve(rental, ANA)
    assert (rental.state, rental.vendor) == (State.PROVISIONING, "hyperstack")
