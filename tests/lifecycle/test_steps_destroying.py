"""Rentals can be destroyed in every state, and people are notified if a deletion takes too long."""

from __future__ import annotations

import pytest

from bot.errors import Refused, TooLate
from bot.lifecycle.actions import ending
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import AttemptState
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.checks import ends_as
from tests.lifecycle.world import ANA, BEN, CLEO, MINUTE, SECOND, World
from tests.rentals import ending as ending_of

# --- in every state


async def test_destroying_a_pending_request_withdraws_it(here: World) -> None:
    rental = await here.get(count=8)
    assert rental.state is State.AWAITING_APPROVAL
    rental = await here.destroy(rental)
    await ends_as(here, rental, State.WITHDRAWN)
    assert await here.event_kinds(rental) == [E.ASKED, E.ENDED]
    assert await here.calls("procure_offer") == []


async def test_a_rental_without_an_attempt_is_cancelled_immediately(here: World) -> None:
    rental = await here.rent(await here.ask(), settle=False)
    rental = await here.destroy(rental)
    await ends_as(here, rental, State.CANCELLED)
    assert await here.calls("procure_offer") == []


async def test_a_starting_rental_is_cancelled_and_its_machine_deleted(here: World) -> None:
    rental = await here.get()
    await here.pass_time(MINUTE)
    rental = await here.destroy(rental)
    assert (rental.state, ending_of(rental).outcome) == (State.DESTROYING, State.CANCELLED)
    rental = await ends_as(here, rental, State.CANCELLED)
    assert await here.bill() > 0
    assert (await here.last_event(rental, E.ENDED)).actor is None
    assert (await here.last_event(rental, E.DESTROYING)).actor == ANA.id


async def test_a_ready_rental_is_destroyed_with_a_receipt(here: World) -> None:
    rental = await here.ready()
    await here.be_down(20 * MINUTE)
    rental = await ends_as(here, await here.destroy(rental), State.DESTROYED)
    facts = (await here.last_event(rental, E.ENDED)).facts
    assert (facts.amount, facts.estimated, facts.paid) == (await here.bill(), False, True)
    (row,) = await here.ledger(rental)
    assert facts.span == row.ended_at - row.started_at


async def test_a_rental_with_an_unknown_purchase_is_cancelled_and_its_machine_deleted(here: World) -> None:
    await here.fault("procure_offer", "cut_after")
    rental = await here.get()
    assert (await here.attempts(rental))[0].state is AttemptState.UNKNOWN
    await ends_as(here, await here.destroy(rental), State.CANCELLED)
    assert await here.bought() == ["hyperstack"]


async def test_a_rental_with_an_empty_purchase_ends_once_lookups_prove_it(here: World) -> None:
    await here.fault("procure_offer", "cut_before")
    rental = await here.get()
    rental = await here.destroy(rental)
    await here.pass_time(MINUTE)
    assert (await here.rental(rental.id)).state is State.DESTROYING
    rental = await ends_as(here, rental, State.CANCELLED)
    assert (await here.last_event(rental, E.ENDED)).facts.paid is False


@pytest.mark.parametrize("kind", ["hold_before", "hold_after"])
async def test_a_rental_cancelled_during_its_procure_call_has_its_machine_deleted(here: World, kind: str) -> None:
    fault = await here.fault("procure_offer", kind)
    rental = await here.rent(await here.ask(), settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    destroying = await carry_out(here.deps, ANA, ending.Destroy(rental.id))
    assert (destroying.state, ending_of(destroying).outcome) == (State.DESTROYING, State.CANCELLED)
    await here.release(fault)
    rental = await ends_as(here, rental, State.CANCELLED)
    assert await here.bought() == ["hyperstack"]
    (attempt,) = await here.attempts(rental)
    assert (attempt.state, attempt.accepted) == (AttemptState.TERMINATED, True)


async def test_a_second_click_on_destroy_is_refused_while_the_deletion_runs(here: World) -> None:
    rental = await here.ready()
    await here.destroy(rental)
    with pytest.raises(TooLate, match="already being destroyed"):
        await here.destroy(rental)
    await ends_as(here, rental, State.DESTROYED)
    with pytest.raises(TooLate, match="has already ended"):
        await here.destroy(rental)


async def rental_with_an_earlier_machine(here: World) -> Rental:
    """Return a rental whose second attempt is starting while the first one's machine is being deleted slowly."""
    await here.behaves("hyperstack", "fails_with_resource", times=1)
    rental = await here.get()
    await here.behaves("hyperstack", "not_deleting", seconds=900)
    rental = await here.until(rental, State.PROVISIONING)
    assert len(await here.alive()) == 2
    return rental


async def test_a_rental_with_an_earlier_machine_is_cancelled_and_both_are_deleted(here: World) -> None:
    rental = await here.destroy(await rental_with_an_earlier_machine(here))
    await here.pass_time(3 * MINUTE)
    assert [machine["vendor"] for machine in await here.alive()] == ["hyperstack"]
    await here.behaves("hyperstack", "normal")
    rental = await ends_as(here, rental, State.CANCELLED)
    assert len(await here.ledger(rental)) == 2


async def test_an_alarm_names_each_machine_that_may_still_bill(here: World) -> None:
    rental = await rental_with_an_earlier_machine(here)
    await here.behaves("nebius", "delete_500", seconds=None)
    rental = await here.until_event(await here.destroy(rental), E.NOT_CONFIRMED)
    facts = (await here.last_event(rental, E.NOT_CONFIRMED)).facts
    machines = {machine["resource_id"] for machine in await here.alive()}
    assert len(machines) == 2
    assert {facts.resource_id, *facts.more_resources} == machines


async def test_an_earlier_machine_that_is_not_deleted_causes_an_alarm(
    here: World,
) -> None:
    """The alarm comes even while the next machine is already in use."""
    rental = await here.until(await rental_with_an_earlier_machine(here), State.READY)
    rental = await here.until_event(rental, E.NOT_CONFIRMED)
    assert rental.state is State.READY
    await here.behaves("hyperstack", "normal")
    await here.pass_time(2 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.alarm) == (State.READY, None)
    assert [machine["vendor"] for machine in await here.alive()] == ["nebius"]
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_a_lost_rental_ends_once_its_earlier_machine_is_terminated(here: World) -> None:
    rental = await here.until(await rental_with_an_earlier_machine(here), State.READY)
    await here.vanish(rental, "deleted")
    rental = await here.until_event(rental, E.LOST)
    assert (rental.state, ending_of(rental).outcome) == (State.DESTROYING, State.LOST)
    await here.behaves("hyperstack", "normal")
    await ends_as(here, rental, State.LOST)


# --- the right to destroy


async def test_only_its_owner_approvers_and_admins_destroy_a_rental(here: World) -> None:
    rental = await here.ready(person=CLEO)
    with pytest.raises(Refused, match="owner, approvers and admins"):
        await here.destroy(rental, ANA)
    rental = await here.destroy(rental, BEN)
    assert (CLEO.id, E.DESTROYING) in await here.direct(rental)
    await ends_as(here, rental, State.DESTROYED)


# --- deletions that take too long


async def test_a_failing_deletion_is_retried_and_causes_repeated_alarms(
    here: World,
) -> None:
    """The first alarm comes after 5 min.

    The alarm is repeated every 30 min, or every 2 h once somebody has acknowledged it.
    """
    rental = await here.ready()
    await here.behaves("hyperstack", "delete_500", seconds=None)
    with pytest.raises(TooLate):
        await carry_out(here.deps, CLEO, ending.TakeOnAlarm(rental.id))
    rental = await here.destroy(rental)
    await here.pass_time(5 * MINUTE - 15 * SECOND)
    assert E.NOT_CONFIRMED not in await here.event_kinds(rental)
    await here.pass_time(30 * SECOND)
    assert (await here.event_kinds(rental)).count(E.NOT_CONFIRMED) == 1
    event = await here.last_event(rental, E.NOT_CONFIRMED)
    (machine,) = await here.alive()
    assert event.facts.resource_id == machine["resource_id"]
    assert event.facts.rate == rental.rate
    assert event.facts.detail
    notified = [person for person, kind in await here.direct(rental) if kind is E.NOT_CONFIRMED]
    assert sorted(notified) == [ANA.id, CLEO.id]
    await here.be_down(29 * MINUTE)
    assert (await here.event_kinds(rental)).count(E.NOT_CONFIRMED) == 1
    await here.be_down(MINUTE)
    assert (await here.event_kinds(rental)).count(E.NOT_CONFIRMED) == 2
    await carry_out(here.deps, CLEO, ending.TakeOnAlarm(rental.id))
    with pytest.raises(TooLate, match="Someone is already looking into"):
        await carry_out(here.deps, ANA, ending.TakeOnAlarm(rental.id))
    for times in (3, 4):
        await here.be_down(119 * MINUTE)
        assert (await here.event_kinds(rental)).count(E.NOT_CONFIRMED) == times - 1
        await here.be_down(MINUTE)
        assert (await here.event_kinds(rental)).count(E.NOT_CONFIRMED) == times
    await here.behaves("hyperstack", "normal")
    rental = await ends_as(here, rental, State.DESTROYED)
    assert rental.alarm is None


async def test_an_accepted_deletion_without_effect_causes_an_alarm(here: World) -> None:
    rental = await here.ready()
    await here.behaves("hyperstack", "not_deleting", seconds=8 * 60)
    rental = await here.destroy(rental)
    await here.until_event(rental, E.NOT_CONFIRMED)
    rental = await ends_as(here, rental, State.DESTROYED)
    assert len([c for c in await here.calls("delete_resource") if c["status"] == 200]) >= 1


async def test_a_deletion_is_completed_after_an_outage(here: World) -> None:
    rental = await here.ready()
    for endpoint in ("delete_resource", "list_resources", "get_resource", "offer_status"):
        await here.fault(endpoint, "status", status=503, times=None)
    rental = await here.destroy(rental)
    await here.pass_time(6 * MINUTE)
    assert (await here.rental(rental.id)).state is State.DESTROYING
    assert E.NOT_CONFIRMED in await here.event_kinds(rental)
    await here.outside.http.delete("/_control/faults")
    await ends_as(here, rental, State.DESTROYED)


# --- machines that vanish


async def test_a_machine_that_vanishes_during_its_deletion_counts_as_terminated(here: World) -> None:
    rental = await here.ready()
    await here.behaves("hyperstack", "delete_500", seconds=None)
    rental = await here.destroy(rental)
    await here.vanish(rental, "missing")
    rental = await here.until(rental, State.DESTROYED)
    assert await here.alive() == []
