"""Probe runs announce a machine's end, so that its owner's on-ending.sh runs in time, and store the outcome."""

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
    """Yield a world whose machines are probed. After the test, check the invariants."""
    async with world(sqlite_url, probe_line=PROBE) as made:
        yield made
        await check(made)


async def probed_at(here: World, rental: Rental) -> datetime:
    return (await here.samples(rental))[-1].at


def last_announced(here: World, rental: Rental) -> EndToTell | None:
    return here.machines[rental].announced[-1]


async def test_each_probe_run_announces_the_end(
    here: World,
) -> None:
    """One probe run comes exactly 15 min before the end, and one whenever the end changes."""
    rental = await here.ready(lease=HOUR + 31 * SECOND)
    machine, end = here.machines[rental], end_of(rental)
    assert machine.announced == [EndToTell(end=end, left=HOUR + 31 * SECOND)]
    await here.pass_time(end - STARTS_BEFORE - here.now)
    assert await probed_at(here, rental) == end - STARTS_BEFORE
    assert last_announced(here, rental) == EndToTell(end=end, left=STARTS_BEFORE)
    assert {announced.end for announced in machine.announced if announced is not None} == {end}

    await here.pass_time(MINUTE)
    rental = await here.extend(rental, HOUR)
    assert await probed_at(here, rental) == here.now
    assert last_announced(here, rental) == EndToTell(end=end + HOUR, left=HOUR + STARTS_BEFORE - MINUTE)


async def test_an_end_that_changes_during_a_probe_run_is_announced_immediately(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR)
    machine, end = here.machines[rental], end_of(rental)
    machine.hold()
    here.jump(2 * MINUTE)
    await here.probe_runs.run_pass()
    await machine.arrived.wait()
    await here.extend(rental, HOUR, settle=False)
    machine.release()
    await here.settle()
    assert [announced and announced.end for announced in machine.announced[-2:]] == [end, end + HOUR]
    assert await probed_at(here, rental) == here.now


async def test_a_changed_end_does_not_hasten_the_next_login_after_a_refusal(here: World) -> None:
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


async def test_an_end_that_would_move_is_announced_only_once_work_stops(here: World) -> None:
    rental = await here.ready(lease=40 * MINUTE, up_to=4 * HOUR)
    machine = here.machines[rental]
    assert machine.announced.pop() is not None, "nothing is known of its use yet"
    machine.use(98)
    await here.pass_time(2 * MINUTE)
    machine.announced.clear()
    await here.pass_time(38 * MINUTE)
    rental = await here.rental(rental.id)
    end = end_of(rental)
    assert set(machine.announced) == {None}, "it moved on while the machine was in use"
    machine.use(0)
    await here.pass_time(40 * MINUTE)
    known = [announced for announced in machine.announced if announced is not None]
    assert {announced.end for announced in known} == {end}
    assert known[0].left >= 28 * MINUTE, "it is idle 30 min after the last work, and the visit after that tells it"


async def test_after_a_downtime_the_first_probe_run_announces_no_end(here: World) -> None:
    """The probe run first has to find out whether the work continues."""
    rental = await here.ready(lease=HOUR, up_to=4 * HOUR)
    machine, end = here.machines[rental], end_of(rental)
    machine.use(98)
    await here.pass_time(20 * MINUTE)
    machine.use(0)
    machine.announced.clear()
    await here.be_down(41 * MINUTE)
    await here.pass_time(4 * MINUTE)
    assert machine.announced[:2] == [None, EndToTell(end=end, left=timedelta(0))]


async def test_a_changed_report_about_the_script_is_stored(here: World) -> None:
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
