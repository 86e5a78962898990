"""Hazards that could cause hidden costs, such as odd answers of the marketplace and ends that never come."""

from __future__ import annotations

import json

import pytest

from bot.errors import BuyingBlocked
from bot.lifecycle.actions import account
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import AttemptState, Why
from bot.model.event import EventKind as E
from bot.model.state import State
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, MINUTE, SECOND, World, world

IN_PROGRESS = '{"status": "procured", "procurement_status": "pending"}'
TERMINATING = '{"status": "procured", "procurement_status": "terminating"}'


# --- machines that the marketplace names


@pytest.mark.parametrize(
    ("vendor", "where"), [("hyperstack", "the answer to the purchase"), ("vultr", "the offer's status")]
)
async def test_a_machine_missing_from_all_lists_is_deleted_by_its_id(here: World, vendor: str, where: str) -> None:
    """`where` is the answer that names the machine."""
    lie = await here.list_resources_as([])
    rental = await here.get(vendor=vendor, gpu="H100")
    await here.pass_time(MINUTE)
    (machine,) = await here.alive()
    assert [r.resource_id for r in await here.resources(rental)] == [machine["resource_id"]], where
    await here.destroy(rental)
    rental = await here.until(rental, State.CANCELLED)
    assert await here.alive() == []
    assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()
    await here.release(lie)


async def test_a_machine_that_was_named_but_never_seen_has_an_estimated_cost(here: World) -> None:
    """The machine may have existed, so its ledger row lasts from the purchase to the first lookup."""
    answer = {"status": "procured", "resource_ids": ["11111111-2222-4333-8444-555555555555"]}
    await here.fault("procure_offer", "garbage", body=json.dumps(answer))
    rental = await here.get()
    assert rental.state is State.PROVISIONING
    rental = await here.until_event(rental, E.GIVEN_UP)
    rental = await here.until(rental, State.READY)
    first, second = await here.attempts(rental)
    assert (first.state, second.called_offer.vendor) == (AttemptState.TERMINATED, "nebius")
    (row,) = await here.ledger(rental)
    assert (row.started_at, row.rate, row.estimated) == (first.intended_at, first.called_offer.rate, True)
    assert 0 < row.amount < 20_000


async def test_an_attempt_is_closed_even_if_a_named_machine_stays_unknown(here: World) -> None:
    """The status keeps naming a machine that the marketplace doesn't answer about."""
    named = {"procurement_status": "failed", "resources": [{"resource_id": "no-such-id"}]}
    await here.behaves("hyperstack", "sold_out")
    quote = await here.ask()
    body, offer_id = json.dumps(named), quote.offers[0].offer_id
    lie = await here.fault("offer_status", "garbage", times=None, match=offer_id, body=body)
    rental = await here.until(await here.rent(quote), State.READY)
    assert [attempt.state for attempt in await here.attempts(rental)] == [AttemptState.FAILED, AttemptState.BOUGHT]
    await here.release(lie)


async def test_a_named_machine_from_another_offer_is_not_ours(
    here: World,
) -> None:
    theirs = {
        "resource_id": "00000000-1111-4222-8333-444444444444",
        "status": "running",
        "offer_history": [{"offer_id": "another-offer"}],
    }
    named = {"procurement_status": "pending", "instances": [theirs]}
    lies = [
        await here.fault("offer_status", "garbage", times=None, body=json.dumps(named)),
        await here.fault("get_resource", "garbage", times=None, match="00000000", body=json.dumps(theirs)),
    ]
    rental = await here.get()
    await here.pass_time(MINUTE)
    for lie in lies:
        await here.release(lie)
    assert len(await here.resources(rental)) == 1


# --- a status that stays in progress


async def test_an_attempt_without_a_machine_is_given_up_after_the_timeout(here: World) -> None:
    await here.fault("procure_offer", "cut_after")
    lies = [
        await here.list_resources_as([]),
        await here.fault("offer_status", "garbage", times=None, body=IN_PROGRESS),
    ]
    rental = await here.until(await here.get(), State.PROVISIONING)
    rental = await here.until_event(rental, E.GIVEN_UP)
    assert (await here.last_event(rental, E.GIVEN_UP)).facts.why is Why.TOO_SLOW
    rental = await here.until_event(rental, E.NOT_CONFIRMED)
    assert len(await here.attempts(rental)) == 1
    for lie in lies:
        await here.release(lie)
    await here.until(await here.destroy(rental), State.CANCELLED)
    assert await here.alive() == []


async def test_a_confirmed_deletion_ends_an_attempt_that_stays_in_progress(
    here: World,
) -> None:
    rental = await here.get()
    await here.pass_time(MINUTE)
    lie = await here.fault("offer_status", "garbage", times=None, body=TERMINATING)
    rental = await here.destroy(rental)
    began = here.now
    rental = await here.until(rental, State.CANCELLED, within=5 * MINUTE)
    assert here.now - began >= MINUTE
    assert E.NOT_CONFIRMED not in await here.event_kinds(rental)
    await here.release(lie)


async def test_an_unbilled_machine_is_given_up_after_the_timeout(here: World) -> None:
    await here.behaves("hyperstack", "slow")
    lies = [
        await here.fault("list_resources", "garbage", times=None),
        await here.fault("get_resource", "garbage", times=None),
    ]
    rental = await here.get()
    (machine,) = await here.alive()
    free = {"resource_id": machine["resource_id"], "status": "provisioning", "pricing_total_hourly": 0}
    for lie in lies:
        await here.release(lie)
    lie = await here.list_resources_as([free])
    await here.pass_time(MINUTE)
    assert [r.rate for r in await here.resources(rental)] == [0]
    rental = await here.until_event(rental, E.GIVEN_UP)
    assert (await here.last_event(rental, E.GIVEN_UP)).facts.why is Why.TOO_SLOW
    await here.release(lie)
    await here.until(await here.destroy(rental), State.CANCELLED)


# --- machines of another rental


@pytest.mark.parametrize("where", ["procure_offer", "offer_status", "list_resources"])
async def test_another_rentals_machine_is_never_taken_over(here: World, where: str) -> None:
    first = await here.ready()
    (machine,) = await here.alive()
    theirs = {"resource_id": machine["resource_id"], "status": "running"}
    answers = {
        "procure_offer": {"status": "procured", "resource_ids": [machine["resource_id"]]},
        "offer_status": {"procurement_status": "pending", "instances": [theirs]},
        "list_resources": {"resources": [theirs]},
    }
    lie = await here.fault(where, "garbage", body=json.dumps(answers[where]), times=None, acts=True)
    second = await here.get(person=BEN)
    await here.pass_time(30 * SECOND)
    await here.destroy(second, BEN)
    await here.pass_time(30 * SECOND)
    await here.release(lie)
    await here.until(second, State.CANCELLED)
    assert [one["resource_id"] for one in await here.alive()] == [machine["resource_id"]]
    assert [one.resource_id for one in await here.resources(first)] == [machine["resource_id"]]
    assert (await here.rental(first.id)).state is State.READY


# --- one attempt at a time


async def test_a_reappeared_machine_is_deleted_before_the_next_purchase(here: World) -> None:
    await here.fault("procure_offer", "cut_after")
    lies = [
        await here.list_resources_as([]),
        await here.fault("offer_status", "garbage", times=None, body='{"procurement_status": "available"}'),
    ]
    rental = await here.get()
    await carry_out(here.deps, CLEO, account.Pause())
    await here.pass_time(3 * MINUTE)
    assert [a.state for a in await here.attempts(rental)] == [AttemptState.FAILED]
    for lie in lies:
        await here.release(lie)
    stuck = await here.fault("delete_resource", "status", status=500, times=None)
    await here.sweep()
    await carry_out(here.deps, CLEO, account.Resume())
    await here.pass_time(2 * MINUTE)
    assert len(await here.attempts(rental)) == 1
    await here.release(stuck)
    rental = await here.until(rental, State.READY)
    first, second = await here.attempts(rental)
    assert first.delete_accepted_at is not None
    assert first.delete_accepted_at <= second.intended_at


@pytest.mark.parametrize("status", [404, 409])
async def test_a_deletion_reported_as_done_is_watched_until_confirmed(here: World, status: int) -> None:
    rental = await here.ready()
    await here.fault("delete_resource", "status", status=status, acts=True)
    await here.until(await here.destroy(rental), State.DESTROYED)
    assert await here.alive() == []
    assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()


@pytest.mark.parametrize("status", [404, 409])
async def test_a_deletion_accepted_without_effect_is_repeated(here: World, status: int) -> None:
    rental = await here.ready()
    await here.fault("delete_resource", "status", status=status)
    await here.until(await here.destroy(rental), State.DESTROYED)
    assert await here.alive() == []
    assert len(await here.calls("delete_resource")) >= 2


# --- rate limits and timeouts


@pytest.mark.parametrize("endpoint", ["get_offers", "offer_status"])
async def test_a_poll_waits_for_retry_after(here: World, endpoint: str) -> None:
    quote = await here.ask()
    if endpoint == "get_offers":
        here.jump(29 * MINUTE + 45 * SECOND)
    await here.fault(endpoint, "status", status=429, retry_after=90, times=None)
    asked = len(await here.calls(endpoint))
    await here.rent(quote)
    await here.pass_time(80 * SECOND)
    assert len(await here.calls(endpoint)) == asked + 1
    await here.pass_time(30 * SECOND)
    assert len(await here.calls(endpoint)) == asked + 2


@pytest.mark.parametrize("lie", ["status", "list"])
async def test_the_timeout_applies_to_an_unreachable_machine_no_longer_ready(sqlite_url: str, lie: str) -> None:
    """The same holds for a machine whose resources can't be read any more."""
    async with world(sqlite_url, ssh_timeout=0.05) as here:
        await here.behaves("hyperstack", "silent_ssh")
        rental = await here.get()
        began = here.now
        while (await here.rental(rental.id)).quiet_since_real is None:
            here.jump(15 * SECOND)
            await here.settle()
        if lie == "status":
            fault = await here.fault("offer_status", "garbage", times=None, body=IN_PROGRESS)
        else:
            fault = await here.fault("list_resources", "status", times=None, status=503)
        rental = await here.until_event(rental, E.GIVEN_UP)
        assert 15 * MINUTE <= here.now - began <= 16 * MINUTE
        await here.release(fault)
        await here.until(await here.destroy(rental), State.CANCELLED)
        await check(here)


async def test_people_with_the_same_offers_each_buy_a_different_one(here: World) -> None:
    """Equal requests get the same offers.

    An offer that another rental took is skipped. If none is left within the approved terms, new offers are
    requested.
    """
    quotes = [await here.ask(person) for person in (ANA, BEN, CLEO)]
    assert len(await here.calls("get_offers")) == 1
    rentals = [
        await here.rent(quote, person=person) for quote, person in zip(quotes, (ANA, BEN, CLEO), strict=True)
    ]
    assert [rental.vendor for rental in rentals] == ["hyperstack", "nebius", "hyperstack"]
    assert len(await here.calls("get_offers")) == 2
    assert [len(await here.attempts(rental)) for rental in rentals] == [1, 1, 1]
    assert await here.bought() == ["hyperstack", "nebius", "hyperstack"]


async def test_while_the_token_is_refused_nobody_can_rent_and_no_rental_fails(here: World) -> None:
    ready, going, made = await here.ready(), await here.ready(person=BEN), await here.get(person=CLEO)
    offers = await here.ask(BEN)
    await here.outside.control("token", valid=False)
    await here.destroy(going, BEN)
    with pytest.raises(BuyingBlocked, match="Nothing was rented"):
        await here.rent(offers, person=BEN)
    await here.pass_time(20 * MINUTE)  # longer than `provision_timeout`
    assert [(await here.rental(one.id)).state for one in (ready, going, made)] == [
        State.READY,
        State.DESTROYING,
        State.PROVISIONING,
    ]
    assert await here.account_event_kinds() == [E.UNAUTHORIZED]
    assert len(await here.alive()) == 3
    await here.outside.control("token", valid=True)
    await here.until(going, State.DESTROYED)
    await here.until(made, State.READY)
    assert (await here.rental(ready.id)).state is State.READY
    assert await here.account_event_kinds() == [E.UNAUTHORIZED, E.AUTHORIZED_AGAIN]
    assert len(await here.alive()) == 2
