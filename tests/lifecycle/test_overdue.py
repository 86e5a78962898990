"""A machine past its end is deleted even if its rental's own step fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from bot.clock import CorrectedClock
from bot.errors import StoreBusy, TooLate
from bot.lifecycle.actions import leasing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.outside import Market
from bot.model.attempt import Why
from bot.model.event import EventKind as E
from bot.model.state import State
from store.db import Database
from tests.lifecycle.adopting import add_machine, adopt
from tests.lifecycle.checks import ends_as
from tests.lifecycle.failing import (
    BrokenMarket,
    BrokenProber,
    FailingStore,
    HangingMarket,
    InterruptedMarket,
    StoreWithClock,
    break_steps,
)
from tests.lifecycle.leases import be_down_until, end_of
from tests.lifecycle.world import ANA, CLEO, HOUR, MINUTE, SECOND, World
from tests.rentals import ending, waiting

pytestmark = pytest.mark.usefixtures("logs")
GRACE = 15 * MINUTE
NONE = timedelta(0)
TIME_OUT = 15 * MINUTE


async def test_a_machine_whose_step_fails_is_deleted_two_grace_periods_late(here: World) -> None:
    """The machine is in use. The grace periods are counted from the end of its lease."""
    rental = await here.ready()
    await be_down_until(here, end_of(rental) - HOUR)
    market = break_steps(here)
    await here.pass_time(HOUR + 2 * GRACE - SECOND)
    assert len(await here.alive()) == 1
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    notices = await here.notices(E.DELETED_OVERDUE)
    assert [person for person, _ in notices] == [ANA.id, CLEO.id]
    assert (await here.rental(rental.id)).state is State.READY
    with pytest.raises(TooLate, match="being destroyed"):
        await carry_out(here.deps, ANA, leasing.Extend(rental.id, HOUR))
    await here.pass_time(2 * HOUR)
    deletes = len(await here.calls("delete_resource"))
    assert deletes < 10
    market.broken = False
    await ends_as(here, rental, State.DESTROYED)
    assert ending(await here.rental(rental.id)).why is Why.LEASE_ENDED
    assert E.LOST not in await here.event_kinds(rental)
    assert len(await here.notices(E.DELETED_OVERDUE)) == 2


async def test_an_adopted_machine_whose_step_fails_is_deleted_only_once(here: World) -> None:
    """The deletion isn't repeated every minute."""
    rental = await adopt(here, await add_machine(here), ends_at=here.now + HOUR / 2)
    market = break_steps(here)
    await here.pass_time(HOUR / 2 + 2 * GRACE + MINUTE)
    assert await here.alive() == []
    assert [person for person, _ in await here.notices(E.DELETED_OVERDUE)] == [ANA.id, CLEO.id]
    await here.pass_time(2 * HOUR)
    assert len(await here.calls("delete_resource")) < 15
    market.broken = False
    await ends_as(here, rental, State.DESTROYED)


async def test_a_machine_destroyed_by_its_owner_is_deleted_one_grace_period_later(here: World) -> None:
    rental = await here.ready()
    market = break_steps(here)
    rental = await here.destroy(rental)
    await here.pass_time(GRACE - SECOND)
    assert len(await here.alive()) == 1
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    market.broken = False
    await ends_as(here, rental, State.DESTROYED)


@pytest.mark.parametrize("seen", [True, False])
async def test_a_starting_machine_is_deleted_one_grace_period_after_its_timeout(
    here: World, *, seen: bool
) -> None:
    """The deletion works even if the store never learned the machine's ID.

    Once the step works again, nothing is bought without asking.
    """
    good = here.deps
    rental = await here.get()
    if seen:
        await here.pass_time(MINUTE)
        here.restart(replace(good, prober=BrokenProber()))
    else:
        break_steps(here)
    assert rental.accepted_at is not None
    await here.pass_time(rental.accepted_at + TIME_OUT + GRACE - SECOND - here.now)
    assert (await here.rental(rental.id)).state is State.PROVISIONING
    assert len(await here.alive()) == 1
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    here.restart(good)
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert waiting(rental).why is Why.BUYING_BLOCKED
    assert len(await here.bought()) == 1
    await ends_as(here, await here.withdraw(rental), State.WITHDRAWN)


async def test_an_unresolved_purchases_machine_is_deleted_even_if_lookups_fail(here: World) -> None:
    await here.fault("procure_offer", "cut_after")
    market = BrokenMarket(here.deps.market)
    good = here.deps
    here.restart(replace(good, market=cast(Market, market)))
    rental = await here.rent(await here.ask())
    assert rental.state is State.PROCURING
    await here.pass_time(TIME_OUT + GRACE + MINUTE)
    assert await here.alive() == []
    market.broken = False
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert len(await here.bought()) == 1
    await ends_as(here, await here.withdraw(rental), State.WITHDRAWN)


async def test_after_an_overdue_deletion_the_owner_can_approve_a_new_purchase(
    here: World,
) -> None:
    await here.fault("procure_offer", "cut_after")
    market = BrokenMarket(here.deps.market)
    here.restart(replace(here.deps, market=cast(Market, market)))
    rental = await here.rent(await here.ask())
    await here.pass_time(TIME_OUT + GRACE + MINUTE)
    market.broken = False
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    rental = await here.approve(rental, ANA)
    rental = await here.until(rental, State.READY)
    assert len(await here.bought()) == 2
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_a_machine_that_started_during_a_market_outage_becomes_ready(here: World) -> None:
    rental = await here.get()
    endpoints = ("list_resources", "get_resource", "offer_status", "delete_resource")
    faults = [await here.fault(one, "status", status=503, times=None) for one in endpoints]
    await here.pass_time(TIME_OUT + GRACE + 5 * MINUTE)
    for fault in faults:
        await here.release(fault)
    # The overdue deletion runs first here. It has to leave the rental's own step enough time to act.
    await here.overdue.delete_overdue()
    here.jump(MINUTE)
    await here.overdue.delete_overdue()
    assert len(await here.alive()) == 1
    rental = await here.until(rental, State.READY)
    assert await here.notices(E.STEP_FAILED) + await here.notices(E.DELETED_OVERDUE) == []
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_the_machine_of_a_hanging_step_is_deleted(here: World) -> None:
    rental = await here.ready()
    await be_down_until(here, end_of(rental) - HOUR)
    market = HangingMarket(here.deps.market)
    here.restart(replace(here.deps, market=cast(Market, market)))
    here.jump(3 * MINUTE + 30 * SECOND)
    await here.engine.run_pass()
    assert here.engine.in_flight == 1
    while here.now < end_of(rental) + 2 * GRACE + MINUTE:
        await here.overdue.delete_overdue()
        here.jump(MINUTE)
    assert await here.alive() == []
    market.broken = False
    market.repaired.set()
    await here.engine.drain()
    await ends_as(here, rental, State.DESTROYED)


async def test_a_machine_being_deleted_by_its_own_step_is_left_alone(here: World) -> None:
    """The vendor is slow to confirm the deletion that the step requested."""
    rental = await here.ready()
    await here.behaves("hyperstack", "not_deleting", seconds=25 * 60)
    rental = await here.destroy(rental)
    await here.pass_time(GRACE + 5 * MINUTE)
    assert await here.notices(E.DELETED_OVERDUE) == []
    await ends_as(here, rental, State.DESTROYED)


async def test_an_extension_postpones_the_overdue_deletion(here: World) -> None:
    rental = await here.ready()
    await be_down_until(here, end_of(rental) - HOUR)
    market = break_steps(here)
    await here.pass_time(HOUR + 2 * GRACE - MINUTE)
    extended = await here.extend(rental, HOUR)
    await here.pass_time(30 * MINUTE)
    assert len(await here.alive()) == 1
    market.broken = False
    assert await here.notices(E.DELETED_OVERDUE) == []
    await here.until(rental, State.DESTROYED, within=2 * HOUR)
    assert here.now >= end_of(extended)


async def test_an_extension_during_the_overdue_deletion_stops_it(here: World) -> None:
    rental = await here.ready()
    await be_down_until(here, end_of(rental) - HOUR)
    good = here.deps

    async def extend() -> None:
        await carry_out(good, ANA, leasing.Extend(rental.id, HOUR))

    market = InterruptedMarket(good.market, extend)
    here.restart(replace(good, market=cast(Market, market)))
    await here.pass_time(end_of(rental) + 2 * GRACE + MINUTE - here.now)
    assert len(await here.alive()) == 1
    assert await here.calls("delete_resource") == []
    market.broken = False
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_after_a_downtime_the_grace_periods_start_anew(here: World) -> None:
    """While the bot was down, nobody could be notified of the end."""
    rental = await here.ready()
    market = break_steps(here)
    await here.be_down(5 * HOUR)
    await here.pass_time(2 * GRACE - MINUTE)
    assert len(await here.alive()) == 1
    # A restart doesn't restart the grace periods, because a step may be the reason why the process ends.
    for _ in range(3):
        here.restart(here.deps)
        await here.pass_time(20 * SECOND)
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    market.broken = False
    await ends_as(here, rental, State.DESTROYED)


async def pass_minutes(here: World, span: timedelta) -> None:
    """Let time pass while only the overdue deletion runs."""
    for _ in range(int(span / MINUTE)):
        here.jump(MINUTE)
        try:
            await here.overdue.delete_overdue()
        except StoreBusy:
            continue


async def test_a_machine_is_deleted_even_if_the_store_accepts_no_writes(here: World) -> None:
    """The deletion is stored later."""
    rental = await here.ready()
    good, store = here.deps, FailingStore(here.deps.store)
    await be_down_until(here, end_of(rental) - MINUTE)
    here.restart(replace(good, store=cast(Database, store)))
    await pass_minutes(here, 2 * GRACE + 3 * MINUTE)
    assert await here.alive() == []
    assert [attempt.marked_for_deletion for attempt in await here.attempts(rental)] == [False]
    store.refuses_writes = False
    await ends_as(here, rental, State.DESTROYED)
    assert E.LOST not in await here.event_kinds(rental)
    assert ending(await here.rental(rental.id)).why is Why.LEASE_ENDED


async def test_nothing_is_deleted_while_the_store_cannot_be_read(here: World) -> None:
    rental = await here.ready()
    good, store = here.deps, FailingStore(here.deps.store)
    await be_down_until(here, end_of(rental) - MINUTE)
    store.refuses_reads = True
    here.restart(replace(good, store=cast(Database, store)))
    await pass_minutes(here, HOUR)
    assert len(await here.alive()) == 1
    assert await here.calls("delete_resource") == []
    here.restart(good)
    await ends_as(here, rental, State.DESTROYED)


# --- wrong clocks


def with_clocks(
    here: World, ahead: timedelta, database: timedelta | None, witnesses: Sequence[timedelta] = ()
) -> CorrectedClock:
    """Restart the bot on a machine whose clock is `ahead`, and return that clock.

    Args:
        database: The time by which the database's clock is ahead. None: the database has no clock of its own.
        witnesses: The times by which the clocks of the witnesses are ahead.
    """
    clock = CorrectedClock(here.clock)
    clock.ahead = -ahead
    here.restart(
        replace(
            here.deps,
            clock=clock,
            store=cast(Database, StoreWithClock(here.deps.store, here.clock, database)),
            ahead_of_witnesses=lambda: [-clock.ahead - witness for witness in witnesses],
        )
    )
    return clock


@pytest.mark.parametrize(
    ("ahead", "database", "witnesses"),
    [
        (2 * HOUR, NONE, []),
        (10 * HOUR, NONE, []),
        (-2 * HOUR, NONE, []),
        (-10 * HOUR, NONE, []),
        (NONE, 10 * HOUR, [NONE, NONE]),
        (10 * HOUR, 10 * HOUR, [NONE, NONE]),
        (10 * HOUR, None, [-HOUR, NONE]),
        (NONE, None, [HOUR, HOUR]),
    ],
)
async def test_wrong_clocks_do_not_shift_the_overdue_deletion(
    here: World, ahead: timedelta, database: timedelta | None, witnesses: list[timedelta]
) -> None:
    """A deletion that relied on the machine's clock would come hours too early or too late."""
    rental, good = await here.ready(), here.deps
    await be_down_until(here, end_of(rental) - 40 * MINUTE)
    with_clocks(here, ahead, database, witnesses)
    await pass_minutes(here, 40 * MINUTE + 2 * GRACE - MINUTE)
    assert len(await here.alive()) == 1
    overdue_at = here.now + MINUTE
    await pass_minutes(here, 3 * MINUTE)
    assert await here.alive() == []
    assert [person for person, _ in await here.notices(E.DELETED_OVERDUE)] == [ANA.id, CLEO.id]
    (resource,) = await here.resources(rental)
    assert resource.delete_accepted_at is not None
    assert abs(resource.delete_accepted_at - overdue_at) < SECOND
    here.restart(good)
    await ends_as(here, rental, State.DESTROYED)


async def test_correcting_a_wrong_clock_delays_no_deletion(here: World) -> None:
    """While the clock was ten hours ahead, and nobody knew that, the machine counted as past its end."""
    rental, good = await here.ready(), here.deps
    await be_down_until(here, end_of(rental) - 40 * MINUTE)
    clock = with_clocks(here, 10 * HOUR, None)
    await pass_minutes(here, GRACE + 5 * MINUTE)
    clock.ahead = NONE
    await pass_minutes(here, end_of(rental) + 2 * GRACE - MINUTE - here.now)
    assert len(await here.alive()) == 1
    await pass_minutes(here, 3 * MINUTE)
    assert await here.alive() == []
    here.restart(good)
    await ends_as(here, rental, State.DESTROYED)


async def test_a_market_answer_can_show_that_a_machine_is_not_overdue(here: World) -> None:
    """The time of the answer shows that the clock of the bot's machine is ahead."""
    rental, good = await here.ready(), here.deps
    await be_down_until(here, end_of(rental) - 40 * MINUTE)
    witnesses: list[timedelta] = []

    async def tell_time() -> None:
        witnesses.append(NONE)

    with_clocks(here, 10 * HOUR, None, witnesses)
    market = InterruptedMarket(here.deps.market, tell_time)
    here.restart(replace(here.deps, market=cast(Market, market)))
    await pass_minutes(here, 2 * GRACE + 5 * MINUTE)
    assert witnesses
    assert len(await here.alive()) == 1
    here.restart(good)
    await ends_as(here, await here.destroy(rental), State.DESTROYED)
