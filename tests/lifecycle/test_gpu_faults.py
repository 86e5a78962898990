"""Faults of GPUs: each is told once, asks whether the machine is kept, and counts against the vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.lifecycle.actions import leasing, replacing
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import SuccessRate
from bot.model.base import changed
from bot.model.event import EventKind, facts_in
from bot.model.facts import GpuFaultFacts
from bot.model.gpu_health import MOST_FAULTS, GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, HOUR, MINUTE, PROBE, World, world
from tests.store.make import REPLY_TO

LOST = GpuFault(gpu=0, kind=GpuFaultKind.LOST)
LOST_79 = changed(LOST, xid=79)
NVLINK = GpuFault(gpu=0, kind=GpuFaultKind.NVLINK, xid=74)


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    async with world(sqlite_url, probe_line=PROBE) as made:
        yield made
        await check(made)
        await check_delivered(made)


def hot(seconds: int) -> GpuNote:
    return GpuNote(gpu=0, kind=GpuNoteKind.HOT, value=seconds)


async def reports(here: World, rental: Rental, *faults: GpuFault, notes: tuple[GpuNote, ...] = ()) -> Rental:
    """Let the machine report this health of its GPUs from now on, and let it be probed more than once."""
    machine = here.machines[rental]
    machine.report = changed(machine.report, health=GpuHealth(faults=faults, notes=notes))
    await here.pass_time(6 * MINUTE)
    return await here.rental(rental.id)


async def told(here: World, rental: Rental) -> list[tuple[GpuFault, ...]]:
    """Return the faults of each event, each of which sends the owner one direct message."""
    found = [facts.faults for facts in facts_in(await here.events(rental), GpuFaultFacts)]
    assert (await here.direct(rental)).count((ANA.id, EventKind.GPU_FAULT)) == len(found)
    return found


async def success_rate(here: World, rental: Rental) -> SuccessRate | None:
    (attempt,) = await here.attempts(rental)
    place = (attempt.vendor, attempt.gpu)
    async with here.database.read() as tx:
        return (await tx.rentals.success_rates([place])).get(place)


async def test_each_fault_is_told_once_whatever_the_machine_reports_later(here: World) -> None:
    """The same fault may be reported with and without its Xid. A machine that restarts forgets its faults."""
    rental = await here.ready()
    await reports(here, rental)
    assert await success_rate(here, rental) == SuccessRate(ready=1, of=1)
    await reports(here, rental, LOST_79)
    here.restart(here.deps)
    await reports(here, rental, LOST)
    await reports(here, rental)
    await reports(here, rental, LOST_79)
    assert await told(here, rental) == [(LOST_79,)]
    rental = await reports(here, rental, LOST_79, NVLINK)
    assert await told(here, rental) == [(LOST_79,), (NVLINK,)]
    assert rental.gpu_health == GpuHealth(faults=(LOST_79, NVLINK))
    assert await success_rate(here, rental) == SuccessRate(ready=0, of=1, faulty=1)


async def test_notes_are_stored_but_make_no_new_version_and_no_message(here: World) -> None:
    rental = await here.ready()
    before = await reports(here, rental, notes=(hot(600),))
    sent = await here.direct(rental)
    after = await reports(here, rental, notes=(hot(960),))
    assert after.gpu_health == GpuHealth(notes=(hot(960),))
    assert (after.version, await here.direct(rental)) == (before.version, sent)
    # The script that checks the GPUs doesn't answer in each probe run.
    machine = here.machines[rental]
    machine.report = changed(machine.report, health=None)
    await here.pass_time(6 * MINUTE)
    assert (await here.rental(rental.id)).gpu_health == after.gpu_health


async def test_a_machine_that_invents_faults_causes_a_limited_number_of_events(here: World) -> None:
    rental = await here.ready()
    for first in range(0, 60, 20):
        await reports(here, rental, *(changed(LOST, gpu=gpu) for gpu in range(first, first + 20)))
    assert [len(faults) for faults in await told(here, rental)] == [20, MOST_FAULTS - 20]


async def test_a_kept_machine_can_be_replaced_after_its_next_fault(here: World) -> None:
    """The first hour, in which any machine may be replaced, is over."""
    rental = await here.ready(lease=6 * HOUR)
    await here.pass_time(HOUR + MINUTE)
    keep = leasing.KeepAsItIs(rental.id)

    async def kept() -> int:
        return (await here.event_kinds(rental)).count(EventKind.KEPT_AS_IT_IS)

    await carry_out(here.deps, ANA, keep)
    assert await kept() == 0
    for n, faults in enumerate([(LOST,), (LOST, NVLINK)], start=1):
        rental = await reports(here, rental, *faults)
        await carry_out(here.deps, ANA, keep)
        await carry_out(here.deps, ANA, keep)
        assert await kept() == n
    rental = await reports(here, rental, changed(LOST, gpu=1))
    quote = await carry_out(here.deps, ANA, replacing.Replace(rental.id, reply_to=REPLY_TO, reason=""))
    await here.settle()
    new = await here.rental((await here.quote(quote.id)).rental_id or "")
    assert (new.replaces, new.vendor == rental.vendor, new.gpu_health) == (rental.id, False, None)
    await here.until(rental, State.DESTROYED, within=timedelta(hours=2))
