"""The first report of a machine's probe: what was sold, its set-up, and the share of its vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.lifecycle.first_report import note_silence, with_report
from bot.lifecycle.service.probing import visit_now
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.use import GpuModel, GpuUse, Missed, ProbeAnswers, Report, Sample, SetupProgress, SetupState
from bot.policy.probe_script import probe_line
from bot.policy.probing import boot_script_ran, runs_scripts, visited_from
from bot.probe.key import new_probe_key
from bot.probe.prober import SshProber
from store.db import Database
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, PROBE, RULES, World, world
from tests.store import make

H100 = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)
READY_AT = make.lease().ready_at
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RUNNING = SetupProgress(state=SetupState.RUNNING)
FAILED = SetupProgress(state=SetupState.FAILED, line=12)


def report(*models: GpuModel, setup: SetupProgress | None = None) -> Report:
    return Report(gpus=tuple(GpuUse(index=n, highest=0) for n in range(len(models))), models=models, setup=setup)


async def ready(database: Database, rental_id: str = "k7mq2", vendor: str = "hyperstack") -> Rental:
    """Store a rental of one H100 that is ready."""
    rental = make.rental(
        rental_id, state=State.READY, lease=make.lease(), vendor=vendor, quote_id=f"q-{rental_id}"
    )
    return await make.store_rental(database, rental, make.attempt(rental_id))


async def answers(
    database: Database, rental: Rental, said: Report, after: timedelta
) -> tuple[Rental, list[EventKind]]:
    """Let the probe answer so long after ready. Return the rental, and the kinds of the events."""
    at = READY_AT + after
    async with database.write() as tx:
        earlier = await tx.samples.since(rental.id, READY_AT)
        found, events = await with_report(tx, rental, said, earlier, at)
        await tx.samples.add(Sample(rental_id=rental.id, at=at, gpus=said.gpus, missed=said.missed))
        await note_silence(tx, found, await tx.samples.since(rental.id, READY_AT), at)
    return found, [event.kind for event in events]


async def misses(database: Database, rental: Rental, *minutes: int, why: Missed = Missed.REFUSED) -> None:
    """Let visits at these minutes after ready be missed."""
    for at in (READY_AT + minute * MINUTE for minute in minutes):
        async with database.write() as tx:
            await tx.samples.add(Sample(rental_id=rental.id, at=at, missed=why))
            await note_silence(tx, rental, await tx.samples.since(rental.id, READY_AT), at)


async def answered(database: Database, vendor: str = "hyperstack") -> tuple[bool, ...]:
    """Return whether the vendor's last machines answered, newest first."""
    async with database.read() as tx:
        found = (await tx.probe_answers.of_vendors([vendor, "another"])).get(vendor)
    return () if found is None else found.answered


async def test_other_gpus_than_were_sold_are_an_event_of_the_first_report_alone(database: Database) -> None:
    rental = await ready(database)
    first, events = await answers(database, rental, report(H100, H100), 2 * MINUTE)
    assert (first.probe_answered_at, events) == (READY_AT + 2 * MINUTE, [EventKind.NOT_AS_SOLD])
    assert await answers(database, first, report(H100, H100), 4 * MINUTE) == (first, [])


async def test_a_machine_as_sold_and_one_whose_gpus_were_not_read_cause_no_event(database: Database) -> None:
    for rental_id, said in (("k7mq2", report(H100)), ("p4wd9", Report(missed=Missed.NVIDIA_SMI_HANGS))):
        rental = await ready(database, rental_id)
        found, events = await answers(database, rental, said, MINUTE)
        assert (found.probe_answered_at, events) == (READY_AT + MINUTE, [])


CUT_OFF = changed(report(H100, H100), missed=Missed.NVIDIA_SMI_HANGS)


@pytest.mark.parametrize(("minutes", "kinds"), [(20, [EventKind.NOT_AS_SOLD]), (40, [])])
@pytest.mark.parametrize("first", [Report(missed=Missed.NO_NVIDIA_SMI), CUT_OFF], ids=["no driver", "cut off"])
async def test_gpus_that_show_once_their_driver_answers_in_time_are_compared_too(
    database: Database, first: Report, minutes: int, kinds: list[EventKind]
) -> None:
    rental = await ready(database)
    rental, events = await answers(database, rental, first, MINUTE)
    assert events == []
    rental, events = await answers(database, rental, report(H100, H100), minutes * MINUTE)
    assert events == kinds
    assert await answers(database, rental, report(H100, H100), (minutes + 2) * MINUTE) == (rental, [])


async def test_the_set_up_is_noted_when_it_changes_and_stays_if_a_report_lacks_it(database: Database) -> None:
    rental = await ready(database)
    running, _ = await answers(database, rental, report(H100, setup=RUNNING), MINUTE)
    assert running.setup_progress == RUNNING
    assert await answers(database, running, report(H100), 3 * MINUTE) == (running, [])
    failed, events = await answers(database, running, report(H100, setup=FAILED), 5 * MINUTE)
    assert (failed.setup_progress, failed.version, events) == (FAILED, running.version + 1, [])


async def test_each_machine_counts_once_for_its_vendor_by_its_first_five_minutes(database: Database) -> None:
    soon, late, never, between = [await ready(database, 5 * letter) for letter in "abcd"]
    await answers(database, soon, report(H100), 5 * MINUTE)
    assert await answered(database) == (True,)
    await misses(database, late, 0, 1, 4)
    assert await answered(database) == (True,)
    await misses(database, late, 8, 10)
    await answers(database, late, report(H100), 12 * MINUTE)
    await misses(database, never, 0, 1, 13)
    assert await answered(database) == (False, False, True)
    await misses(database, between, 0, 1, 3)
    await answers(database, between, report(H100), 14 * MINUTE)
    assert await answered(database) == (False, False, False, True), "no visit between the fifth minute and that"


async def test_a_machine_that_no_visit_reached_in_its_first_five_minutes_and_that_answers_later_does_not_count(
    database: Database,
) -> None:
    cut_off = await ready(database)
    await misses(database, cut_off, 0, 2, 4, why=Missed.NO_ANSWER)
    await answers(database, cut_off, report(H100), 6 * MINUTE)
    assert await answered(database) == ()


async def test_a_machine_that_nobody_visited_in_its_first_five_minutes_does_not_count(database: Database) -> None:
    silent, answering = await ready(database, "aaaaa"), await ready(database, "bbbbb")
    await misses(database, silent, 30, 32)
    await answers(database, answering, report(H100), 30 * MINUTE)
    assert await answered(database) == ()


async def test_the_last_ten_machines_of_a_vendor_count(database: Database) -> None:
    for n in range(12):
        rental = await ready(database, f"r{n:04}")
        async with database.write() as tx:
            await tx.probe_answers.note(rental.id, "hyperstack", READY_AT + n * MINUTE, answered=n > 2)
    assert await answered(database) == (True,) * 9 + (False,)
    assert await answered(database, "nebius") == ()


def test_a_vendor_runs_scripts_until_the_third_of_its_last_ten_machines_is_silent() -> None:
    def known(*answered: bool) -> ProbeAnswers:
        return ProbeAnswers(answered=answered, silent_at=None if all(answered) else READY_AT)

    assert runs_scripts(None)
    assert runs_scripts(known(*[True] * 8, False, False))
    assert runs_scripts(known(False, False))
    assert not runs_scripts(known(*[True] * 7, *[False] * 3))
    assert not runs_scripts(known(False, False, False))
    assert visited_from(known(True, False, False), READY_AT) == READY_AT
    assert visited_from(known(False, False, False), READY_AT + DAY) == READY_AT + 7 * DAY
    assert visited_from(known(False, False, False), READY_AT + 8 * DAY) == READY_AT + 8 * DAY


async def test_the_first_visit_of_a_real_login_tells_the_owner_of_other_gpus_and_notes_the_set_up(
    sqlite_url: str,
) -> None:
    key = new_probe_key()
    rules = changed(RULES, setup={"torch": "#!/bin/bash\nset -e\nfalse\n"})
    async with world(sqlite_url, rules=rules, probe_line=probe_line(key.public_line)) as here:
        here.restart(replace(here.deps, prober=SshProber(key)))
        rental = await here.ready(setup="torch")
        (machine,) = await here.alive()
        gpus = [{"name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559}] * 2
        use = f"resources/{machine['resource_id']}/use"
        await here.outside.control(use, hardware=gpus, setup={"state": "failed", "line": 3})
        await here.pass_time(10 * MINUTE)
        rental = await here.rental(rental.id)
        assert rental.setup_progress == SetupProgress(state=SetupState.FAILED, line=3)
        assert boot_script_ran(rental)
        assert (await here.event_kinds(rental)).count(EventKind.NOT_AS_SOLD) == 1
        assert (ANA.id, EventKind.NOT_AS_SOLD) in await here.direct(rental)
        assert await answered(here.database) == (True,)


# --- a vendor whose machines don't run the boot script


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world in which three machines of Hyperstack were silent."""
    async with world(sqlite_url, probe_line=PROBE) as made:
        for _ in range(3):
            silent = await made.ready(probe=False)
            async with made.deps.store.write() as tx:
                await tx.probe_answers.note(silent.id, "hyperstack", made.now, answered=False)
            await made.until(await made.destroy(silent), State.DESTROYED)
        yield made
        await check(made)


async def test_machines_of_a_silent_vendor_get_the_script_and_are_visited_only_if_somebody_installs_the_probe(
    here: World,
) -> None:
    rental = await here.ready()
    machine = here.machines[rental]
    machine.answers(models=(H100,))
    await here.pass_time(20 * MINUTE)
    assert machine.visits == 0
    (attempt,) = await here.attempts(rental)
    assert attempt.script is not None
    assert attempt.script.probe

    await visit_now(here.deps, ANA, rental.id)
    await here.pass_time(10 * MINUTE)
    assert machine.visits == 6
    assert (await here.rental(rental.id)).probe_answered_at is not None
    assert (await here.event_kinds(rental)).count(EventKind.PROBE_INSTALLED) == 1


async def test_a_silent_vendors_machines_are_visited_again_after_a_week_also_those_after_the_first(
    here: World,
) -> None:
    here.jump(7 * DAY)
    for _ in range(2):
        rental = await here.ready()
        await here.pass_time(4 * MINUTE)
        assert here.machines[rental].visits == 3
    assert await answered(here.database) == (True, True, False, False, False)


async def test_a_request_with_teammates_or_a_set_up_does_not_fail_over_to_a_silent_vendor(here: World) -> None:
    rules = changed(here.deps.rules, setup={"torch": "#!/bin/sh\ntrue\n"})
    here.restart(replace(here.deps, rules=rules))
    await here.behaves("nebius", "sold_out")
    for wish in ({"setup": "torch"}, {"teammates": (BEN.id,)}):
        rental = await here.rent(await here.ask(**wish), "nebius")
        assert {attempt.vendor for attempt in await here.attempts(rental)} == {"nebius"}
    rental = await here.rent(await here.ask(), "nebius")
    assert "hyperstack" in {attempt.vendor for attempt in await here.attempts(rental)}


async def test_a_clicked_offer_of_a_silent_vendor_is_bought_and_now_buys_another_ones(here: World) -> None:
    clicked = await here.rent(await here.ask(teammates=(BEN.id,)), "hyperstack")
    at_once = await here.ask(BEN, teammates=(ANA.id,), now=True)
    plain = await here.ask(CLEO, now=True)
    vendors = [(await here.rental(rental_id or "")).vendor for rental_id in (at_once.rental_id, plain.rental_id)]
    assert (clicked.vendor, vendors) == ("hyperstack", ["nebius", "hyperstack"])


async def test_another_vendors_machines_are_visited_at_once(here: World) -> None:
    rental = await here.until(await here.rent(await here.ask(), "nebius"), State.READY)
    await here.pass_time(4 * MINUTE)
    assert here.machines[rental].visits == 3
