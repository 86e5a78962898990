"""Visits tell a machine its end, before which it starts its owner's on-ending.sh, and note how that went."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from bot.model.machine_use import EndToTell, Missed, OnEnding, OnEndingState
from bot.model.rental import Rental
from bot.policy.use.on_ending import STARTS_BEFORE
from tests.lifecycle.checks import check
from tests.lifecycle.leases import end_of
from tests.lifecycle.world import HOUR, MINUTE, PROBE, SECOND, World, world

THERE = OnEnding(state=OnEndingState.THERE)


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines are visited. After the test, check what must always hold."""
    async with world(sqlite_url, probe_line=PROBE) as made:
        yield made
        await check(made)


async def probed_at(here: World, rental: Rental) -> datetime:
    return (await here.samples(rental))[-1].at


def last_told(here: World, rental: Rental) -> EndToTell | None:
    return here.machines[rental].told[-1]


async def test_each_visit_tells_the_end_and_one_comes_15_minutes_before_it_and_one_when_it_changes(
    here: World,
) -> None:
    rental = await here.ready(lease=HOUR + 31 * SECOND)
    machine, end = here.machines[rental], end_of(rental)
    assert machine.told == [EndToTell(end=end, left=HOUR + 31 * SECOND)]
    await here.pass_time(end - STARTS_BEFORE - here.now)
    assert await probed_at(here, rental) == end - STARTS_BEFORE
    assert last_told(here, rental) == EndToTell(end=end, left=STARTS_BEFORE)
    assert {told.end for told in machine.told if told is not None} == {end}

    await here.pass_time(MINUTE)
    rental = await here.extend(rental, HOUR)
    assert await probed_at(here, rental) == here.now
    assert last_told(here, rental) == EndToTell(end=end + HOUR, left=HOUR + STARTS_BEFORE - MINUTE)


async def test_an_end_that_changes_during_a_visit_is_told_right_after_it(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR)
    machine, end = here.machines[rental], end_of(rental)
    machine.hold()
    here.jump(2 * MINUTE)
    await here.probe_runs.run_pass()
    await machine.arrived.wait()
    await here.extend(rental, HOUR, settle=False)
    machine.release()
    await here.settle()
    assert [told and told.end for told in machine.told[-2:]] == [end, end + HOUR]
    assert await probed_at(here, rental) == here.now


async def test_a_changed_end_hastens_no_visit_of_a_machine_that_refused_the_login_just_now(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR)
    machine = here.machines[rental]
    machine.misses(Missed.REFUSED)
    await here.pass_time(10 * MINUTE)
    probe_runs = machine.probe_runs

    async def was_probed() -> bool:
        return machine.probe_runs > probe_runs

    await here.pass_time(5 * MINUTE, was_probed)
    probed = await probed_at(here, rental)
    for minutes in (1, 2, 3):
        await here.extend(rental, minutes * MINUTE)
    await here.pass_time(4 * MINUTE)
    assert [at for sample in await here.samples(rental) if (at := sample.at) > probed] == [probed + 30 * SECOND]


async def test_an_end_that_would_move_is_not_told_until_the_work_stops_and_then_in_its_grace(here: World) -> None:
    rental = await here.ready(lease=40 * MINUTE, up_to=4 * HOUR)
    machine = here.machines[rental]
    assert machine.told.pop() is not None, "nothing is known of its use yet"
    machine.use(98)
    await here.pass_time(2 * MINUTE)
    machine.told.clear()
    await here.pass_time(38 * MINUTE)
    rental = await here.rental(rental.id)
    end = end_of(rental)
    assert set(machine.told) == {None}, "it moved on while the machine was in use"
    machine.use(0)
    await here.pass_time(40 * MINUTE)
    known = [told for told in machine.told if told is not None]
    assert {told.end for told in known} == {end}
    assert known[0].left >= 28 * MINUTE, "it is idle 30 min after the last work, and the visit after that tells it"


async def test_after_the_bot_was_down_a_visit_sees_first_whether_the_work_goes_on(here: World) -> None:
    rental = await here.ready(lease=HOUR, up_to=4 * HOUR)
    machine, end = here.machines[rental], end_of(rental)
    machine.use(98)
    await here.pass_time(20 * MINUTE)
    machine.use(0)
    machine.told.clear()
    await here.be_down(41 * MINUTE)
    await here.pass_time(4 * MINUTE)
    assert machine.told[:2] == [None, EndToTell(end=end, left=timedelta(0))]


async def test_what_a_machine_reports_of_the_script_is_noted_when_it_changes(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR)
    machine, end = here.machines[rental], end_of(rental)
    assert rental.on_ending is None
    seen: list[tuple[OnEnding | None, datetime | None]] = []
    running = OnEnding(state=OnEndingState.RUNNING, end=end)
    for reported in (THERE, THERE, running, None):
        machine.answers(on_ending=reported)
        await here.pass_time(2 * MINUTE)
        rental = await here.rental(rental.id)
        seen.append((rental.on_ending, rental.on_ending_at))
    first = seen[0][1]
    assert first is not None
    assert seen == [(THERE, first), (THERE, first), (running, first + 4 * MINUTE), (None, None)]
