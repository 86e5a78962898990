"""The sweep compares the account with the store: unmanaged machines, reappearing machines, missing machines."""

from __future__ import annotations

import asyncio
import json

import pytest

from bot.errors import MarketAway
from bot.lifecycle.account.sweep import first_sweep, sweep
from bot.model.attempt import AttemptState
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.test_step_failures import execute
from tests.lifecycle.world import ANA, BEN, CLEO, MINUTE, SECOND, World

SECOND_MACHINE = "00000000-1111-4222-8333-444444444444"
UNTOUCHED = '{"status": "available", "procurement_status": "available"}'


# --- unmanaged machines


async def test_admins_are_notified_once_of_an_unmanaged_machine(here: World) -> None:
    """The machine is never deleted."""
    await here.ready()
    added = await here.outside.control("resources", name="train-3", gpu_type="H100", rate="2.10")
    for _ in range(3):
        await here.sweep()
        await here.pass_time(10 * MINUTE)
    assert await here.account_event_kinds() == [E.UNMANAGED_MACHINE]
    facts = (await here.account_event(E.UNMANAGED_MACHINE)).facts
    assert (facts.resource_id, facts.name, str(facts.rate)) == (added["resource_id"], "train-3", "2.10")
    assert await here.calls("delete_resource") == []


async def test_a_machine_with_another_name_does_not_pause_an_empty_store(here: World) -> None:
    await here.outside.control("resources", name="train-3", gpu_type="H100", rate="2.10")
    await here.sweep()
    assert await here.account_event_kinds() == [E.UNMANAGED_MACHINE]


# --- attempts marked for deletion


async def failed_attempt_with_a_machine(here: World) -> Rental:
    """Return a rental whose first purchase made a machine although its attempt counts as failed.

    The marketplace didn't show the machine for a long time.
    """
    await here.fault("procure_offer", "cut_after")
    lies = [
        await here.list_resources_as([]),
        await here.fault("offer_status", "garbage", times=None, body=UNTOUCHED),
    ]
    rental = await here.get()
    await here.until_event(rental, E.RENTING)
    for lie in lies:
        await here.release(lie)
    first, second = await here.attempts(rental)
    assert (first.state, second.state) == (AttemptState.FAILED, AttemptState.BOUGHT)
    assert len(await here.alive()) == 2
    return await here.rental(rental.id)


async def test_a_failed_attempts_live_machine_is_deleted_and_reported(here: World) -> None:
    rental = await here.until(await failed_attempt_with_a_machine(here), State.READY)
    await here.sweep()
    await here.sweep()
    await here.pass_time(2 * MINUTE)
    assert [machine["vendor"] for machine in await here.alive()] == ["nebius"]
    kinds = await here.event_kinds(rental)
    assert (kinds.count(E.ORPHANED_RESOURCE), kinds.count(E.ORPHAN_TERMINATED)) == (1, 1)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.vendor) == (State.READY, "nebius")
    await here.until(await here.destroy(rental), State.DESTROYED)
    assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()


async def test_a_rental_stays_over_if_one_of_its_machines_appears(here: World) -> None:
    rental = await here.until(await here.destroy(await failed_attempt_with_a_machine(here)), State.CANCELLED)
    over_at = rental.over_at
    await here.pass_time(5 * MINUTE)
    assert len(await here.alive()) == 1
    await here.sweep()
    await here.pass_time(2 * MINUTE)
    await here.sweep()
    assert await here.alive() == []
    rental = await here.rental(rental.id)
    assert (rental.state, rental.over_at, rental.due_at) == (State.CANCELLED, over_at, None)
    kinds = await here.event_kinds(rental)
    assert kinds[kinds.index(E.ENDED) :] == [E.ENDED, E.ORPHANED_RESOURCE, E.ORPHAN_TERMINATED]
    assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()


async def test_an_outdated_list_reopens_nothing_after_a_deletion(here: World) -> None:
    rental = await here.ready()
    fault = await here.fault("list_resources", "hold_after")
    sweeping = asyncio.create_task(sweep(here.deps))
    await here.until_hit(fault)
    await here.until(await here.destroy(rental), State.DESTROYED)
    await here.release(fault)
    await sweeping
    await here.settle()
    assert (await here.event_kinds(rental))[-1] is E.ENDED


@pytest.mark.parametrize("fails", ["the vendor", "the store"])
async def test_an_unwatchable_machine_does_not_hide_other_machines(here: World, fails: str) -> None:
    rental = await here.ready()
    (resource,) = await here.resources(rental)
    await here.until(await here.destroy(rental), State.DESTROYED)
    unknown = await here.outside.control("resources", name="train-3", gpu_type="H100", rate="2.10")
    ids = (resource.resource_id, unknown["resource_id"])
    lies = [await here.list_resources_as([{"resource_id": one, "status": "running"} for one in ids])]
    if fails == "the vendor":
        lies += [await here.fault("get_resource", "status", status=503, times=None, match=resource.resource_id)]
    else:
        back = json.dumps({"resource_id": resource.resource_id, "status": "running"})
        lies += [await here.fault("get_resource", "garbage", times=None, match=resource.resource_id, body=back)]
        await execute(here, "UPDATE rentals SET envelope = substr(envelope, 2) WHERE id = :of", rental.id)
    here.deps.opened.swept = False
    await first_sweep(here.deps)
    assert here.deps.opened.swept, "else nothing would be bought"
    assert await here.account_event_kinds() == [E.UNMANAGED_MACHINE]
    for lie in lies:
        await here.release(lie)
    if fails == "the store":
        await execute(here, "UPDATE rentals SET envelope = '{' || envelope WHERE id = :of", rental.id)
    await here.settle()


# --- terminated machines


@pytest.mark.parametrize("how", ["deleted", "missing"])
async def test_the_sweep_notices_that_the_vendor_took_a_machine_away(here: World, how: str) -> None:
    rental = await here.ready()
    await here.pass_time(MINUTE)
    await here.vanish(rental, how)
    here.jump(31 * SECOND)
    await here.sweep()
    rental = await here.until(rental, State.LOST, within=2 * MINUTE)
    assert (ANA.id, E.LOST) in await here.direct(rental)


async def test_an_empty_account_list_ends_no_rental(here: World) -> None:
    """Each machine is read separately before it counts as terminated."""
    rentals = [await here.ready(person=person) for person in (ANA, BEN, CLEO, ANA, BEN)]
    here.jump(MINUTE)
    lie = await here.list_resources_as([])
    before = len(await here.calls("get_resource"))
    await here.sweep()
    assert len(await here.calls("get_resource")) >= before + 5
    await here.pass_time(5 * MINUTE)
    await here.release(lie)
    assert [(await here.rental(r.id)).state for r in rentals] == 5 * [State.READY]
    assert len(await here.alive()) == 5


async def test_a_sweep_without_an_answer_changes_nothing(here: World) -> None:
    rental = await here.ready()
    await here.fault("list_resources", "status", status=503)
    with pytest.raises(MarketAway):
        await here.sweep()
    assert (await here.rental(rental.id)).state is State.READY


# --- machines that are missing from the store or terminated there


async def test_the_sweep_stores_a_machine_of_a_running_attempt(here: World) -> None:
    lies = [
        await here.list_resources_as([]),
        await here.fault("offer_status", "garbage", body=UNTOUCHED, times=None),
    ]
    rental = await here.get(vendor="vultr")
    await here.pass_time(20 * SECOND)
    assert await here.resources(rental) == []
    for lie in lies:
        await here.release(lie)
    await sweep(here.deps)
    (resource,) = await here.resources(rental)
    (machine,) = await here.alive()
    assert (resource.resource_id, resource.attempt) == (machine["resource_id"], 1)
    await here.until(rental, State.READY)


async def test_a_machine_that_was_missing_for_a_while_is_watched_again(here: World) -> None:
    """The machine is one of two machines of an attempt."""
    rental = await here.ready()
    (attempt,) = await here.attempts(rental)
    (machine,) = await here.alive()
    again = {
        "resource_id": SECOND_MACHINE,
        "status": "running",
        "offer_history": [{"offer_id": attempt.called_offer.offer_id}],
    }
    lists = await here.list_resources_as([{**again, "resource_id": machine["resource_id"]}, again])
    await here.sweep()
    await here.pass_time(5 * MINUTE)
    assert [r.resource_id for r in await here.resources(rental) if r.terminated_at] == [SECOND_MACHINE]
    here.jump(MINUTE)
    shows = await here.fault("get_resource", "garbage", times=None, match=SECOND_MACHINE, body=json.dumps(again))
    await here.sweep()
    assert [r.resource_id for r in await here.resources(rental) if r.terminated_at] == []
    for lie in (lists, shows):
        await here.release(lie)
    await here.until(await here.destroy(rental), State.DESTROYED)


async def test_a_machine_named_like_ours_from_another_offer_is_not_ours(here: World) -> None:
    rental = await here.until(await here.destroy(await here.get()), State.CANCELLED)
    theirs = {
        "resource_id": SECOND_MACHINE,
        "status": "running",
        "name": f"gpubot-{rental.id}-1-u0ana",
        "offer_history": [{"offer_id": "another-offer"}],
    }
    lies = [
        await here.list_resources_as([theirs]),
        await here.fault("get_resource", "garbage", times=None, match=SECOND_MACHINE, body=json.dumps(theirs)),
    ]
    deleted = len(await here.calls("delete_resource"))
    await here.sweep()
    assert await here.account_event_kinds() == [E.UNMANAGED_MACHINE]
    assert (await here.event_kinds(rental))[-1] is E.ENDED
    assert len(await here.calls("delete_resource")) == deleted
    for lie in lies:
        await here.release(lie)
