"""The first report of a machine's probe: the GPUs that were sold, the setup, and the statistics of the vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.lifecycle.loops.probe_runs import note_unreachable, with_report
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import GpuModel, GpuUse, Missed, ProbeAnswers, Report, Sample, SetupProgress, SetupState
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.access.probe_script import probe_line
from bot.policy.use.probing import runs_scripts, startup_script_ran
from bot.probe.key import new_probe_key
from bot.probe.prober import SshProber
from store.db import Database
from tests.databases import ON_SQLITE
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, PROBE, RULES, World, world
from tests.store import make

H100 = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)
READY_AT = make.lease().ready_at
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RUNNING = SetupProgress(state=SetupState.RUNNING)
FAILED = SetupProgress(state=SetupState.FAILED, line=12)


def report(*models: GpuModel, setup: SetupProgress | None = None) -> Report:
    return Report(gpus=tuple(GpuUse(index=n, highest=0) for n in range(len(models))), models=models, setup=setup)


async def ready(database: Database, rental_id: str = "k7mq2", owner: str = ANA.id) -> Rental:
    """Store a ready rental of one H100 from Hyperstack."""
    rental = make.rental(
        rental_id,
        state=State.READY,
        lease=make.lease(),
        vendor="hyperstack",
        owner=owner,
        quote_id=f"q-{rental_id}",
    )
    return await make.store_rental(database, rental, make.attempt(rental_id))


async def answers(
    database: Database, rental: Rental, said: Report, after: timedelta
) -> tuple[Rental, list[EventKind]]:
    """Let the probe answer at this time after ready. Return the rental, and the kinds of the events."""
    at = READY_AT + after
    async with database.write() as tx:
        earlier = await tx.samples.since(rental.id, READY_AT)
        found, events = await with_report(tx, rental, said, earlier, at)
        await tx.samples.add(Sample(rental_id=rental.id, at=at, gpus=said.gpus, missed=said.missed))
        await note_unreachable(tx, found, await tx.samples.since(rental.id, READY_AT), at)
    return found, [event.kind for event in events]


async def misses(database: Database, rental: Rental, *minutes: int, why: Missed = Missed.NO_ANSWER) -> None:
    """Let the probe runs fail at these minutes after ready."""
    for at in (READY_AT + minute * MINUTE for minute in minutes):
        async with database.write() as tx:
            await tx.samples.add(Sample(rental_id=rental.id, at=at, missed=why))
            await note_unreachable(tx, rental, await tx.samples.since(rental.id, READY_AT), at)


async def known(database: Database, vendor: str = "hyperstack") -> ProbeAnswers | None:
    """Return the stored answers of a vendor's machines."""
    async with database.read() as tx:
        return (await tx.probe_answers.of_vendors([vendor, "another"])).get(vendor)


@ON_SQLITE
async def test_only_the_first_report_causes_a_gpu_mismatch_event(database: Database) -> None:
    rental = await ready(database)
    first, events = await answers(database, rental, report(H100, H100), 2 * MINUTE)
    assert (first.probe_answered_at, events) == (READY_AT + 2 * MINUTE, [EventKind.GPU_MISMATCH])
    assert await answers(database, first, report(H100, H100), 4 * MINUTE) == (first, [])


@ON_SQLITE
async def test_matching_or_unreadable_gpus_cause_no_event(database: Database) -> None:
    for rental_id, said in (("k7mq2", report(H100)), ("p4wd9", Report(missed=Missed.NVIDIA_SMI_HANGS))):
        rental = await ready(database, rental_id)
        found, events = await answers(database, rental, said, MINUTE)
        assert (found.probe_answered_at, events) == (READY_AT + MINUTE, [])


CUT_OFF = changed(report(H100, H100), missed=Missed.NVIDIA_SMI_HANGS)


@ON_SQLITE
@pytest.mark.parametrize(("minutes", "kinds"), [(20, [EventKind.GPU_MISMATCH]), (40, [])])
@pytest.mark.parametrize("first", [Report(missed=Missed.NO_NVIDIA_SMI), CUT_OFF], ids=["no driver", "cut off"])
async def test_gpus_are_compared_once_their_driver_answers_in_time(
    database: Database, first: Report, minutes: int, kinds: list[EventKind]
) -> None:
    rental = await ready(database)
    rental, events = await answers(database, rental, first, MINUTE)
    assert events == []
    rental, events = await answers(database, rental, report(H100, H100), minutes * MINUTE)
    assert events == kinds
    assert await answers(database, rental, report(H100, H100), (minutes + 2) * MINUTE) == (rental, [])


@ON_SQLITE
async def test_setup_progress_is_stored_when_it_changes(database: Database) -> None:
    """A report without progress leaves the stored progress as it is."""
    rental = await ready(database)
    running, _ = await answers(database, rental, report(H100, setup=RUNNING), MINUTE)
    assert running.setup_progress == RUNNING
    assert await answers(database, running, report(H100), 3 * MINUTE) == (running, [])
    failed, events = await answers(database, running, report(H100, setup=FAILED), 5 * MINUTE)
    assert (failed.setup_progress, failed.version, events) == (FAILED, running.version + 1, [])


async def test_unanswering_machines_count_against_a_vendor_until_one_answers(database: Database) -> None:
    first, second, third = [
        await ready(database, 5 * letter, owner) for letter, owner in zip("abc", "UVU", strict=True)
    ]
    await misses(database, first, 0, 1, 4, 8)
    await misses(database, second, 0, 1, 4, 9, 11)
    assert await known(database) == ProbeAnswers(unreachable=("V", "U"), unreachable_at=READY_AT + 9 * MINUTE)
    await answers(database, third, report(H100), 9 * MINUTE)
    assert await known(database) == ProbeAnswers(answered_at=READY_AT + 9 * MINUTE)
    # One of the unreachable machines answers after all, before its owner was shown how to install the probe.
    await answers(database, first, report(H100), 14 * MINUTE)
    assert await known(database) == ProbeAnswers(answered_at=READY_AT + 14 * MINUTE)
    # The owner may have made this machine answer, so it doesn't count.
    await answers(database, second, report(H100), 16 * MINUTE)
    assert await known(database) == ProbeAnswers(answered_at=READY_AT + 14 * MINUTE)


@ON_SQLITE
@pytest.mark.parametrize("why", [Missed.REFUSED, Missed.UNREADABLE, Missed.HOST_KEY_CHANGED])
async def test_a_refused_login_never_counts_against_a_vendor(database: Database, why: Missed) -> None:
    for n in range(3):
        await misses(database, await ready(database, f"r{n:04}", f"U{n}"), 0, 2, 4, 6, 20, why=why)
    assert await known(database) is None


async def test_a_machine_not_probed_in_its_first_minutes_does_not_count(database: Database) -> None:
    unreachable, answering = await ready(database, "aaaaa"), await ready(database, "bbbbb")
    await misses(database, unreachable, 30, 32)
    await answers(database, answering, report(H100), 30 * MINUTE)
    assert await known(database) is None


async def test_at_most_ten_unreachable_machines_of_a_vendor_are_read(database: Database) -> None:
    for n in range(12):
        await misses(database, await ready(database, f"r{n:04}"), 0, 2, 5 + n)
    assert await known(database) == ProbeAnswers(unreachable=(ANA.id,) * 10, unreachable_at=READY_AT + 16 * MINUTE)
    assert await known(database, "nebius") is None


def test_unreachable_machines_count_for_two_owners_or_after_a_week() -> None:
    """Unreachable machines count if they have at least two owners, or if no machine answered for a week."""

    def vendor(*unreachable: str, answered: timedelta | None = None) -> ProbeAnswers:
        """Return the answers of a vendor whose last answer was so long ago."""
        at = None if answered is None else READY_AT - answered
        return ProbeAnswers(
            unreachable=unreachable, unreachable_at=READY_AT if unreachable else None, answered_at=at
        )

    assert runs_scripts(None)
    assert runs_scripts(vendor(answered=8 * DAY))
    assert runs_scripts(vendor("U1", "U2"))
    assert runs_scripts(vendor("U1", "U1", "U1", answered=6 * DAY))
    assert not runs_scripts(vendor("U1", "U2", "U1", answered=6 * DAY))
    assert not runs_scripts(vendor("U1", "U1", "U1", answered=7 * DAY))
    assert not runs_scripts(vendor("U1", "U1", "U1"))


async def test_the_first_real_login_reports_a_gpu_mismatch_and_setup_progress(
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
        assert startup_script_ran(rental)
        assert (await here.event_kinds(rental)).count(EventKind.GPU_MISMATCH) == 1
        assert (ANA.id, EventKind.GPU_MISMATCH) in await here.direct(rental)
        found = await known(here.database)
        assert found is not None
        assert (found.unreachable, found.answered_at) == ((), rental.probe_answered_at)


# --- a vendor whose machines don't run the startup script


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world in which three machines at Hyperstack were unreachable, and none ever answered.

    All three belonged to one person.
    """
    async with world(sqlite_url, probe_line=PROBE) as made:
        for _ in range(3):
            unreachable = await made.ready(probe=False)
            async with made.deps.store.write() as tx:
                await tx.probe_answers.note(unreachable.id, "hyperstack", made.now, answered=False)
            await made.until(await made.destroy(unreachable), State.DESTROYED)
        yield made
        await check(made)


async def test_an_unreachable_vendor_is_trusted_again_once_a_machine_answers(
    here: World,
) -> None:
    """A machine of such a vendor is probed nevertheless. If it is busy, its flexible end moves later."""
    rental = await here.ready(person=BEN, lease=2 * HOUR, up_to=4 * HOUR)
    await here.pass_time(4 * MINUTE)
    assert here.machines[rental].probe_runs == 3
    (attempt,) = await here.attempts(rental)
    assert attempt.script is not None
    assert attempt.script.probe
    assert runs_scripts(await known(here.database))

    here.machines[rental].use(98)
    end = rental.running_lease.ends_at
    await here.be_down(end - HOUR - here.now)
    await here.pass_time(HOUR + MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.running_lease.ends_at) == (State.READY, end + HOUR)


async def test_automatic_choices_avoid_a_vendor_that_runs_no_startup_scripts(
    here: World,
) -> None:
    """Such a vendor is avoided only if the request has teammates or a setup.

    An offer that a person clicked is bought anyway.
    """
    clicked = await here.rent(await here.ask(teammates=(BEN.id,)), "hyperstack")
    at_once = await here.ask(BEN, teammates=(ANA.id,), now=True)
    plain = await here.ask(CLEO, now=True)
    vendors = [(await here.rental(rental_id or "")).vendor for rental_id in (at_once.rental_id, plain.rental_id)]
    assert (clicked.vendor, vendors) == ("hyperstack", ["nebius", "hyperstack"])

    rules = changed(here.deps.rules, setup={"torch": "#!/bin/sh\ntrue\n"})
    here.restart(replace(here.deps, rules=rules))
    await here.behaves("nebius", "sold_out")
    for fields in ({"setup": "torch"}, {"teammates": (BEN.id,)}):
        rental = await here.rent(await here.ask(**fields), "nebius")
        assert {attempt.vendor for attempt in await here.attempts(rental)} == {"nebius"}, fields
    rental = await here.rent(await here.ask(), "nebius")
    assert "hyperstack" in {attempt.vendor for attempt in await here.attempts(rental)}
