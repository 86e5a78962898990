"""Vendors that misbehave during a sale: one machine is bought, once, and every other one is deleted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.market.transport import Timeouts
from bot.model.attempt import AttemptState, Why
from bot.model.event import EventKind as E
from bot.model.money import cost
from bot.model.rental import Decider, Rental
from bot.model.state import State
from tests.lifecycle.checks import check, ends_as
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, SECOND, World, world
from tests.rentals import ending, waiting


async def ends_well(here: World, rental: Rental, vendor: str) -> Rental:
    """Let a rental become ready at `vendor`, and destroy it.

    Checks that nothing is left, and that the ledger equals the bill.
    """
    rental = await here.until(rental, State.READY, within=2 * HOUR)
    assert rental.vendor == vendor
    alive = await here.alive()
    assert {machine["vendor"] for machine in alive} == {vendor}
    return await ends_as(here, await here.destroy(rental), State.DESTROYED)


# --- failures without a machine


async def test_an_expired_offer_is_replaced_by_a_new_one_from_its_vendor(here: World) -> None:
    await here.fault("procure_offer", "status", status=410)
    rental = await here.get()
    first, second = await here.attempts(rental)
    assert (first.state, first.why) == (AttemptState.FAILED, Why.EXPIRED)
    assert (second.state, second.called_offer.vendor) == (AttemptState.BOUGHT, "hyperstack")
    assert len(await here.calls("get_offers")) == 2
    await ends_well(here, rental, "hyperstack")


async def test_an_offer_that_is_about_to_expire_is_not_tried(here: World) -> None:
    quote = await here.ask()
    here.jump(29 * MINUTE + 45 * SECOND)
    rental = await here.rent(quote)
    (attempt,) = await here.attempts(rental)
    assert attempt.called_offer.offer_id not in {offer.offer_id for offer in quote.offers}
    assert attempt.state is AttemptState.BOUGHT


@pytest.mark.parametrize("status", [404, 422])
async def test_after_a_refusal_the_next_offer_is_bought(here: World, status: int) -> None:
    await here.fault("procure_offer", "status", status=status)
    rental = await here.get()
    assert [attempt.why for attempt in await here.attempts(rental)] == [Why.REFUSED, None]
    await ends_well(here, rental, "nebius")


async def test_a_rental_fails_after_the_allowed_number_of_attempts(here: World) -> None:
    await here.fault("procure_offer", "status", status=410, times=None)
    rental = await here.until(await here.get(), State.FAILED)
    assert rental.attempts == 10
    assert ending(rental).why is Why.TOO_MANY_ATTEMPTS
    assert await here.bought() == []
    assert (await here.event_kinds(rental))[-1] is E.ENDED


# --- unknown outcomes


@pytest.mark.parametrize(
    ("kind", "particulars"),
    [
        ("cut_after", {}),
        ("status", {"status": 500}),
        ("status", {"status": 429, "retry_after": 40}),
        ("status", {"status": 409}),
        ("status", {"status": 403}),
        ("garbage", {}),
    ],
    ids=["cut", "500", "429", "409", "403", "garbage"],
)
async def test_a_purchase_with_an_unclear_answer_is_looked_up_not_repeated(
    here: World, kind: str, particulars: dict[str, Any]
) -> None:
    acts = {} if kind == "cut_after" else {"acts": True}
    await here.fault("procure_offer", kind, **particulars, **acts)
    rental = await here.get()
    (attempt,) = await here.attempts(rental)
    assert (rental.state, attempt.state) == (State.PROCURING, AttemptState.UNKNOWN)
    assert await here.event_kinds(rental) == [E.STARTED, E.RENTING, E.NO_ANSWER]
    await ends_well(here, rental, "hyperstack")
    assert await here.bought() == ["hyperstack"]


@pytest.mark.parametrize(
    ("kind", "status", "why", "then"),
    [
        ("cut_before", 500, Why.NO_ANSWER, "nebius"),
        ("status", 500, Why.NO_ANSWER, "nebius"),
        ("garbage", 500, Why.NO_ANSWER, "nebius"),
        ("status", 409, Why.BOUGHT_BEFORE, "nebius"),
        ("status", 429, Why.RATE_LIMITED, "hyperstack"),
        ("status", 403, Why.UNAUTHORIZED, "hyperstack"),
    ],
)
async def test_an_attempt_is_proven_empty_before_the_next_one_begins(
    here: World, kind: str, status: int, why: Why, then: str
) -> None:
    """The next attempt is at the same vendor if the failure had nothing to do with the vendor."""
    await here.fault("procure_offer", kind, status=status)
    rental = await here.get()
    began = here.now
    assert (await here.last_event(rental, E.NO_ANSWER)).facts.why is why
    await here.pass_time(MINUTE + 50 * SECOND)
    assert len(await here.attempts(rental)) == 1
    rental = await here.until(rental, State.PROVISIONING)
    first, second = await here.attempts(rental)
    assert (first.state, first.why) == (AttemptState.FAILED, why)
    assert (second.intended_at - began).total_seconds() >= 120
    assert rental.blocked is None
    await ends_well(here, rental, then)
    assert await here.bought() == [then]


async def test_a_rate_limited_purchase_is_looked_up_when_the_market_allows_it(here: World) -> None:
    await here.fault("procure_offer", "status", status=429, retry_after=90, acts=True)
    rental = await here.get()
    await here.pass_time(80 * SECOND)
    assert await here.calls("offer_status") == []
    assert (await here.until(rental, State.PROVISIONING, within=30 * SECOND)).rate == Decimal("2.15")


async def test_after_15_minutes_of_rate_limits_the_owner_decides_again(here: World) -> None:
    await here.fault("procure_offer", "status", status=429, times=None)
    rental = await here.get()
    clicked = here.now
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert waiting(rental).why is Why.BUYING_BLOCKED
    assert 15 * MINUTE <= here.now - clicked < 19 * MINUTE
    assert (await here.last_event(rental, E.ASKED_AGAIN)).facts.amount == 0
    assert await here.bill() == 0


async def test_an_offer_bought_by_an_unknown_call_belongs_to_the_new_attempt(sqlite_url: str) -> None:
    """A backup was restored, so the account has a purchase that isn't in the store."""
    async with world(sqlite_url) as here:
        quote = await here.ask()
        lost = await here.outside.post_procure(quote.offers[0].offer_id, "gpubot-older-1")
        rental = await here.until(await here.rent(quote), State.READY)
        (attempt,) = await here.attempts(rental)
        assert attempt.called_offer.offer_id == quote.offers[0].offer_id
        assert [r.resource_id for r in await here.resources(rental)] == lost.json()["resource_ids"]
        await ends_well(here, rental, "hyperstack")


async def test_a_hanging_procure_call_is_looked_up_after_its_timeout(sqlite_url: str) -> None:
    async with world(sqlite_url, timeouts=Timeouts(procure=0.5)) as here:
        fault = await here.fault("procure_offer", "hang")
        rental = await here.get()
        await here.until_hit(fault)
        assert (await here.attempts(rental))[0].state is AttemptState.UNKNOWN
        await ends_well(here, rental, "nebius")
        assert await here.bought() == ["nebius"]
        await check(here)


async def test_nothing_is_bought_while_an_outcome_is_unknown(
    here: World,
) -> None:
    """The first purchase made a machine, and the second one didn't.

    The proof comes late, so the owner decides again.
    """
    await here.fault("procure_offer", "cut_after")
    await here.fault("list_resources", "status", times=None)
    rental = await here.get()
    await here.fault("procure_offer", "cut_before")
    empty = await here.get(person=BEN)
    await here.pass_time(20 * MINUTE)
    await here.be_down(10 * MINUTE)
    for one in (rental, empty):
        assert (await here.rental(one.id)).state is State.PROCURING
        assert len(await here.attempts(one)) == 1
    await here.outside.http.delete("/_control/faults")
    empty = await here.until(empty, State.AWAITING_APPROVAL)
    assert waiting(empty).why is Why.BUYING_BLOCKED
    assert (await here.last_event(empty, E.ASKED_AGAIN)).facts.amount == 0
    await ends_well(here, rental, "hyperstack")
    assert await here.bought() == ["hyperstack"]


# --- machines of failed purchases


async def test_a_failed_purchases_machine_is_deleted_and_the_next_offer_bought(here: World) -> None:
    await here.behaves("hyperstack", "fails_with_resource", times=1)
    rental = await ends_well(here, await here.get(), "nebius")
    first, second = await here.attempts(rental)
    assert (first.state, second.state) == (AttemptState.TERMINATED, AttemptState.TERMINATED)
    assert await here.bought() == ["hyperstack", "nebius"]
    assert E.ORPHAN_TERMINATED in await here.event_kinds(rental)


async def test_if_only_two_of_four_machines_start_all_are_deleted(here: World) -> None:
    await here.behaves("hyperstack", "partial", times=1)
    rental = await here.get()
    began = here.now
    rental = await here.until_event(rental, E.GIVEN_UP)
    assert (here.now - began).total_seconds() >= 15 * 60
    assert (await here.last_event(rental, E.GIVEN_UP)).facts.why is Why.TOO_SLOW
    rental = await ends_well(here, rental, "nebius")
    assert len([r for r in await here.resources(rental) if r.attempt == 1]) == 4
    assert len(await here.ledger(rental)) == 5


async def test_the_cost_of_slow_machines_counts_towards_the_approved_total(here: World) -> None:
    """The total of a short lease doesn't pay for a second attempt of that length, so the owner decides."""
    await here.behaves("hyperstack", "slow")
    rental = await here.until(await here.get(lease=30 * MINUTE), State.AWAITING_APPROVAL)
    assert (waiting(rental).why, waiting(rental).decider) == (Why.DEARER, Decider.OWNER)
    first = (await here.last_event(rental, E.STARTED)).facts
    again = (await here.last_event(rental, E.ASKED_AGAIN)).facts
    assert first.total is not None
    assert again.total is not None
    assert again.total > first.total
    assert again.amount is None, "the cost is unknown before the machine is gone"
    await here.approve(rental, ANA)
    await ends_well(here, rental, "nebius")


async def test_a_second_attempt_is_given_up_before_it_could_exceed_the_total(here: World) -> None:
    await here.behaves("hyperstack", "slow")
    await here.behaves("nebius", "slow")
    rental = await here.get()
    total = rental.terms.total
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    first, second = await here.attempts(rental)
    assert (first.why, second.why) == (Why.TOO_SLOW, Why.TOO_SLOW)
    lease = cost(Decimal("2.42"), rental.terms.lease)
    assert await here.bill() + lease <= total
    await here.withdraw(rental)
    await here.until(rental, State.WITHDRAWN)


async def test_after_an_accepted_purchase_fails_the_next_offer_is_bought(here: World) -> None:
    await here.behaves("hyperstack", "fails_later", times=1)
    rental = await ends_well(here, await here.get(), "nebius")
    assert (await here.last_event(rental, E.GIVEN_UP)).facts.why is Why.VENDOR_FAILED
    assert len(await here.ledger(rental)) == 2


@pytest.mark.parametrize("vendor", ["hyperstack", "vultr"])
async def test_a_machine_that_vanishes_before_a_lookup_has_an_estimated_cost(here: World, vendor: str) -> None:
    """The answer of Hyperstack names the machine, that of Vultr doesn't.

    The machine was billed in both cases, and its ledger row isn't lower than the bill.
    """
    rental = await here.get(vendor=vendor)
    assert [r.status for r in await here.resources(rental)] == (["named"] if vendor == "hyperstack" else [])
    here.jump(10 * SECOND)
    await here.vanish(rental, "missing")
    rental = await here.until(rental, State.FAILED)
    assert await here.bill() > 0
    (row,) = await here.ledger(rental)
    assert row.estimated
    assert row.amount >= await here.bill()
    ended = (await here.last_event(rental, E.ENDED)).facts
    assert (ended.amount, ended.estimated) == (row.amount, True)


async def test_an_unseen_machine_is_not_reported_as_free_of_charge(here: World) -> None:
    rental = await here.get()
    here.jump(10 * SECOND)
    await here.vanish(rental, "missing")
    rental = await here.until(rental, State.READY)
    assert rental.vendor == "nebius"
    assert (await here.last_event(rental, E.RENTING)).facts.paid is True


@pytest.mark.parametrize("how", ["deleted", "missing"])
async def test_after_a_starting_machine_vanishes_the_next_offer_is_bought(here: World, how: str) -> None:
    rental = await here.get()
    await here.pass_time(MINUTE)
    await here.vanish(rental, how)
    await here.until_event(rental, E.GIVEN_UP)
    rental = await here.until(rental, State.READY)
    assert rental.vendor == "nebius"
    first, _ = await here.attempts(rental)
    (row,) = await here.ledger(rental)
    assert first.state is AttemptState.TERMINATED
    assert row.estimated is (how == "missing")
    assert row.amount > 0


# --- from started to ready


async def test_a_machine_becomes_ready_in_either_vocabulary_of_statuses(here: World) -> None:
    await here.behaves("hyperstack", "reference_words")
    await ends_well(here, await here.get(), "hyperstack")


async def test_a_machine_without_an_ssh_banner_is_reported_as_unreachable(
    sqlite_url: str,
) -> None:
    """The machine becomes ready after two minutes nevertheless."""
    async with world(sqlite_url, ssh_timeout=0.05) as here:
        await here.behaves("hyperstack", "silent_ssh")
        rental = await here.get()
        await here.pass_time(2 * MINUTE + 30 * SECOND)
        assert (await here.rental(rental.id)).quiet_since_real is None
        while (await here.rental(rental.id)).quiet_since_real is None:
            here.jump(15 * SECOND)
            await here.settle()
        shown = (await here.rental(rental.id)).version
        here.jump(3 * SECOND)
        await here.settle()
        assert (await here.rental(rental.id)).version == shown  # a probe of the port alone edits no card
        for _ in range(2):
            here.jump(MINUTE - 3 * SECOND)
            await here.settle()
            assert (await here.rental(rental.id)).state is State.PROVISIONING
        here.jump(5 * SECOND)
        await here.settle()
        rental = await here.rental(rental.id)
        assert rental.state is State.READY
        assert await here.event_kinds(rental) == [E.STARTED, E.RENTING, E.ACCEPTED, E.UNREACHABLE, E.READY]
        await check(here)
