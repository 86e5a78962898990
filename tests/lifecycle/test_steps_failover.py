"""Purchases that are answered with `failed`: the next offer is tried immediately, and orphans are deleted.

In these stories, Ana clicks Nebius's L40S at $0.98. Four offers from three other vendors are within the terms that
she approved.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.lifecycle.changes.snapshot import load
from bot.lifecycle.loops.engine import DueTimes
from bot.lifecycle.steps.dispatch import step
from bot.model.attempt import AttemptState, Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.money import cost_at_most
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Limits, Procure
from tests.lifecycle.checks import check, check_delivered, ends_as
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, SECOND, World, world
from tests.rentals import ending, waiting

FIRST, SECOND_PLACE, THIRD = "nebius", "hyperstack", "datacrunch"
IN_PROGRESS = '{"status": "procured", "procurement_status": "pending"}'
PROVISION_TIMEOUT = RULES.procure.provision_timeout


async def clicks(here: World, *, settle: bool = True, lease: timedelta = 2 * HOUR) -> Rental:
    return await here.rent(await here.ask(gpu="L40S", lease=lease), FIRST, settle=settle)


async def vendors(here: World, rental: Rental) -> list[str]:
    return [attempt.vendor for attempt in await here.attempts(rental)]


# --- immediate purchases


async def run_step(here: World, rental: Rental) -> None:
    """Run the rental's step without a claim."""
    snapshot = await load(here.deps, rental.id)
    assert snapshot is not None
    await step(here.deps, snapshot, DueTimes(here.deps).write)


async def test_after_two_sold_out_vendors_the_third_is_tried_immediately(here: World) -> None:
    for vendor in (FIRST, SECOND_PLACE):
        await here.behaves(vendor, "sold_out")
    clicked = here.now
    rental = await clicks(here)
    assert (rental.state, rental.vendor, here.now) == (State.PROVISIONING, THIRD, clicked)
    assert await here.event_kinds(rental) == [E.STARTED, *[E.RENTING] * 3, E.ACCEPTED]
    facts = (await here.last_event(rental, E.RENTING)).facts
    assert (facts.before_vendor, facts.why, facts.clicked, facts.paid) == (
        SECOND_PLACE,
        Why.SOLD_OUT,
        Decimal("0.98"),
        None,
    )
    assert await here.calls("offer_status") == []
    first, second, third = await here.attempts(rental)
    assert (first.state, first.unresolved, second.unresolved, third.live) == (
        AttemptState.UNKNOWN,
        True,
        True,
        True,
    )
    await here.pass_time(2 * MINUTE + 20 * SECOND)
    assert [attempt.state for attempt in await here.attempts(rental)][:2] == [AttemptState.FAILED] * 2
    assert {E.ORPHANED_RESOURCE, E.NOT_CONFIRMED}.isdisjoint(await here.event_kinds(rental))
    rental = await here.until(rental, State.READY)
    await ends_as(here, await here.destroy(rental), State.DESTROYED)
    assert await here.bought() == [THIRD]


@pytest.mark.parametrize(
    ("words", "why", "detail"),
    [
        ("Sold out in eu-north1", Why.SOLD_OUT, None),
        ("", Why.SOLD_OUT, None),
        ("Your quota for L40S is used up", Why.ANSWERED_FAILED, "Your quota for L40S is used up"),
        ("No credit left, capacity not reserved", Why.ANSWERED_FAILED, "No credit left, capacity not reserved"),
    ],
)
async def test_the_thread_names_the_reason_that_the_answer_gives(
    here: World, words: str, why: Why, detail: str | None
) -> None:
    await here.behaves(FIRST, "sold_out", words=words)
    rental = await clicks(here)
    facts = (await here.last_event(rental, E.RENTING)).facts
    assert (facts.why, facts.detail) == (why, detail)


async def test_a_failed_purchase_that_names_a_machine_is_looked_up_first(here: World) -> None:
    answer = '{"status": "failed", "resource_ids": ["11111111-2222-4333-8444-555555555555"]}'
    await here.fault("procure_offer", "garbage", body=answer)
    rental = await clicks(here)
    assert (await here.event_kinds(rental))[-1] is E.NO_ANSWER
    await here.pass_time(MINUTE)
    assert await vendors(here, rental) == [FIRST]
    await here.until(rental, State.READY)


# --- machines of failed purchases


@pytest.fixture
async def three_late(here: World) -> AsyncIterator[World]:
    """Yield a world in which three vendors answer `failed` and make a machine a minute later."""
    for vendor, quiet in ((FIRST, True), (SECOND_PLACE, False), (THIRD, True)):
        await here.behaves(vendor, "late_resource", quiet=quiet, times=1)
    yield here
    assert await here.alive() == []


async def test_machines_of_failed_purchases_are_deleted_and_paid_from_the_total(
    three_late: World,
) -> None:
    """The thread reports these machines."""
    here = three_late
    rental = await clicks(here)
    assert await vendors(here, rental) == [FIRST, SECOND_PLACE, THIRD]
    blocked = (await here.last_event(rental, E.BLOCKED)).facts
    assert (blocked.why, blocked.vendor, blocked.count, blocked.end) == (Why.UNRESOLVED, THIRD, 3, None)
    rental = await here.until(rental, State.READY)
    assert rental.vendor == "scaleway"
    kinds = await here.event_kinds(rental)
    assert [kinds.count(kind) for kind in (E.BLOCKED, E.ORPHANED_RESOURCE, E.ORPHAN_TERMINATED)] == [1, 3, 3]
    assert E.GIVEN_UP not in kinds
    costs = [event.facts.amount or 0 for event in await here.events(rental) if event.kind is E.ORPHAN_TERMINATED]
    assert sorted(costs) == sorted(row.amount for row in await here.ledger(rental))
    assert {machine["vendor"] for machine in await here.alive()} == {"scaleway"}
    await here.be_down(rental.running_lease.ends_at - HOUR - here.now)
    rental = await here.until(rental, State.DESTROYED, within=2 * HOUR)
    assert len(await here.ledger(rental)) == 4
    assert await here.bill() == sum(row.amount for row in await here.ledger(rental)) <= rental.terms.total
    assert (await here.last_event(rental, E.ENDED)).facts.amount == await here.bill()


async def test_a_bot_killed_after_an_answer_buys_again_and_deletes_orphans(
    three_late: World,
) -> None:
    """Each step of the rental runs alone, and the bot is killed after it."""
    here = three_late
    rental = await clicks(here, settle=False)
    for _ in range(4):
        await run_step(here, rental)
        here.restart(here.deps)
    assert await vendors(here, rental) == [FIRST, SECOND_PLACE, THIRD]
    rental = await here.until(rental, State.READY)
    await here.be_down(rental.running_lease.ends_at - HOUR - here.now)
    rental = await here.until(rental, State.DESTROYED, within=2 * HOUR)
    assert (await here.event_kinds(rental)).count(E.ORPHAN_TERMINATED) == 3
    assert await here.bill() == sum(row.amount for row in await here.ledger(rental)) <= rental.terms.total


async def test_after_a_long_downtime_the_owner_is_asked_before_a_purchase(three_late: World) -> None:
    here = three_late
    rental = await clicks(here, settle=False)
    await run_step(here, rental)
    await here.be_down(20 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, waiting(rental).why) == (State.AWAITING_APPROVAL, Why.BUYING_BLOCKED)
    assert (await here.last_event(rental, E.ASKED_AGAIN)).facts.amount is None
    assert await vendors(here, rental) == [FIRST]
    await here.withdraw(rental)
    rental = await here.until(rental, State.WITHDRAWN)
    assert await here.bill() == sum(row.amount for row in await here.ledger(rental)) > 0


async def test_after_a_long_downtime_lookups_come_before_alarms(
    here: World,
) -> None:
    await here.behaves(FIRST, "sold_out")
    rental = await clicks(here)
    await here.be_down(5 * HOUR)
    rental = await here.until(rental, State.READY)
    assert E.NOT_CONFIRMED not in await here.event_kinds(rental)


async def test_a_machine_is_reported_even_if_a_click_overtakes_its_step(here: World) -> None:
    """An overtaken step stores its facts, but not its events."""
    await here.behaves(FIRST, "late_resource", quiet=True)
    rental = await clicks(here)
    here.jump(61 * SECOND)
    held = await here.fault("delete_resource", "hold_before")
    going = asyncio.create_task(run_step(here, rental))
    await here.until_hit(held)
    await here.destroy(rental, settle=False)
    await here.release(held)
    await going
    assert [resource.attempt for resource in await here.resources(rental)] == [1, 2]
    assert E.ORPHANED_RESOURCE not in await here.event_kinds(rental)
    rental = await here.until(rental, State.CANCELLED)
    kinds = await here.event_kinds(rental)
    assert [kinds.count(kind) for kind in (E.ORPHANED_RESOURCE, E.ORPHAN_TERMINATED)] == [1, 1]


async def test_the_sweep_finds_a_failed_purchases_machine_without_asking_admins(here: World) -> None:
    await here.behaves(FIRST, "late_resource", quiet=True)
    rental = await clicks(here)
    here.jump(61 * SECOND)
    await here.sweep()
    assert E.ORPHANED_RESOURCE in await here.event_kinds(rental)
    assert await here.account_event_kinds() == []
    await here.until(rental, State.READY)
    assert {machine["vendor"] for machine in await here.alive()} == {SECOND_PLACE}


# --- failed purchases of a rental whose machine is in use


async def test_an_undeletable_machine_delays_neither_ready_nor_an_extension(here: World) -> None:
    await here.behaves(FIRST, "late_resource", quiet=True)
    rental = await clicks(here)
    await here.behaves(FIRST, "delete_500", seconds=600)
    rental = await here.until(rental, State.READY)
    unresolved = (await here.attempts(rental))[0]
    assert (unresolved.state, unresolved.unresolved) == (AttemptState.BOUGHT, True)
    before = rental.terms.total
    rental = await here.extend(rental, HOUR)
    assert (rental.state, rental.extension) == (State.READY, None)
    left = rental.running_lease.ends_at - here.now + RULES.lease.grace
    least = cost_at_most(rental.rate or Decimal(0), left) + cost_at_most(unresolved.rate, 5 * MINUTE)
    assert rental.terms.total >= max(before, least)
    rental = await here.until_event(rental, E.NOT_CONFIRMED)
    rental = await here.until_event(rental, E.ORPHAN_TERMINATED)
    assert rental.state is State.READY
    assert rental.alarm is None


async def test_a_destroyed_rental_ends_once_failed_purchases_are_proven_empty(here: World) -> None:
    await here.behaves(FIRST, "sold_out")
    rental = await here.destroy(await clicks(here))
    began = here.now
    rental = await here.until(rental, State.CANCELLED)
    assert here.now - began >= 2 * MINUTE
    assert (await here.last_event(rental, E.DESTROYING)).facts.amount is None
    await ends_as(here, rental, State.CANCELLED)


async def test_a_rental_fails_once_all_attempts_are_proven_empty(here: World) -> None:
    await here.behaves("*", "sold_out")
    rental = await here.get(gpu="L4")
    assert await vendors(here, rental) == ["runpod", "scaleway", "scaleway"]
    asked = len(await here.calls("get_offers"))
    rental = await here.until(rental, State.FAILED)
    assert ending(rental).why is Why.NOTHING_LEFT
    assert (await here.last_event(rental, E.ENDED)).facts.amount == 0
    assert len(await here.calls("get_offers")) <= asked + 2
    blocks = [event.facts for event in await here.events(rental) if event.kind is E.BLOCKED]
    assert [(facts.why, facts.count) for facts in blocks] == [(Why.UNRESOLVED, 3)]
    assert E.DESTROYING not in await here.event_kinds(rental)


async def test_before_the_proof_the_owner_may_accept_a_pricier_offer(here: World) -> None:
    for vendor in ("hyperstack", "nebius"):
        await here.behaves(vendor, "sold_out")
    clicked = here.now
    rental = await here.get()
    assert (rental.state, waiting(rental).why, here.now) == (State.AWAITING_APPROVAL, Why.DEARER, clicked)
    again = (await here.last_event(rental, E.ASKED_AGAIN)).facts
    assert again.amount is None
    spans = rental.terms.lease + PROVISION_TIMEOUT + RULES.lease.grace
    unresolved = cost_at_most(Decimal("2.15"), 5 * MINUTE) + cost_at_most(Decimal("2.42"), 5 * MINUTE)
    assert rental.terms.total == unresolved + cost_at_most(rental.terms.max_rate, spans)
    rental = await here.approve(rental, ANA)
    assert rental.state is State.PROVISIONING
    assert len(await here.attempts(rental)) == 3


# --- limits and totals


async def test_an_unresolved_purchase_counts_in_the_teams_rate(
    sqlite_url: str,
) -> None:
    """The limit has headroom for Ana's highest price, but not for another purchase next to the failed one."""
    rules = changed(RULES, limits=Limits(team_per_hour=Decimal("1.90")))
    async with world(sqlite_url, rules=rules) as here:
        await here.behaves(FIRST, "sold_out", times=1)
        rental = await clicks(here)
        assert await vendors(here, rental) == [FIRST, SECOND_PLACE]
        async with here.deps.store.read() as tx:
            assert (await tx.rentals.usage(BEN.id)).team_rate == rental.terms.max_rate + Decimal("0.98")
        await here.pass_time(3 * MINUTE)
        async with here.deps.store.read() as tx:
            assert (await tx.rentals.usage(BEN.id)).team_rate == rental.terms.max_rate
        await here.destroy(rental)
        await here.until(rental, State.CANCELLED, State.DESTROYED)
        await here.behaves(SECOND_PLACE, "sold_out", times=1)
        await here.behaves(FIRST, "sold_out", times=1)
        rental = await clicks(here)
        assert await vendors(here, rental) == [FIRST, SECOND_PLACE]
        assert (await here.last_event(rental, E.BLOCKED)).facts.count == 2
        rental = await here.until(rental, State.READY)
        assert rental.vendor == THIRD
        await check(here)
        await check_delivered(here)


async def test_without_headroom_for_unresolved_purchases_the_next_one_waits(
    sqlite_url: str,
) -> None:
    rules = changed(RULES, procure=Procure(provision_timeout=8 * MINUTE))
    async with world(sqlite_url, rules=rules) as here:
        for vendor in (FIRST, SECOND_PLACE):
            await here.behaves(vendor, "sold_out")
        rental = await clicks(here, lease=HOUR / 2)
        assert await vendors(here, rental) == [FIRST, SECOND_PLACE]
        assert (await here.last_event(rental, E.BLOCKED)).facts.count == 2
        rental = await here.until(rental, State.READY)
        assert rental.vendor == THIRD
        assert E.ASKED_AGAIN not in await here.event_kinds(rental)
        await check(here)


# --- alarms


async def test_without_a_machine_nobody_is_alarmed_before_the_timeout(here: World) -> None:
    """The status of the offer stays in progress, so the attempt isn't proven empty."""
    await here.behaves(FIRST, "sold_out")
    rental = await clicks(here, settle=False)
    began = here.now
    await run_step(here, rental)
    (attempt,) = await here.attempts(rental)
    lie = await here.fault(
        "offer_status", "garbage", times=None, match=attempt.called_offer.offer_id, body=IN_PROGRESS
    )
    rental = await here.until(rental, State.READY)
    rental = await here.until_event(rental, E.NOT_CONFIRMED)
    assert PROVISION_TIMEOUT <= here.now - began <= PROVISION_TIMEOUT + MINUTE
    assert (ANA.id, E.NOT_CONFIRMED) in await here.direct(rental)
    assert (CLEO.id, E.NOT_CONFIRMED) in await here.direct(rental)
    await here.release(lie)
    await here.pass_time(3 * MINUTE)
    assert (await here.attempts(rental))[0].state is AttemptState.FAILED


async def test_an_orphaned_machine_causes_an_alarm_after_five_minutes(here: World) -> None:
    await here.behaves(FIRST, "late_resource", quiet=True)
    rental = await clicks(here)
    await here.behaves(FIRST, "delete_500", seconds=600)
    rental = await here.until_event(rental, E.ORPHANED_RESOURCE)
    seen = here.now
    rental = await here.until_event(rental, E.NOT_CONFIRMED)
    assert 5 * MINUTE <= here.now - seen <= 5 * MINUTE + 20 * SECOND
