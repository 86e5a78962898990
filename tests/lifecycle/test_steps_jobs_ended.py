"""Jobs that end on a machine: one message to its owner, and the questions before and after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.model.event import EventKind as E
from bot.model.facts import JobsEndedFacts
from bot.model.job import JobState
from bot.model.machine_use import UsageStatus
from bot.model.rental import Rental
from tests.databases import beside
from tests.lifecycle.engine import Engine
from tests.lifecycle.leases import HIGH_LIMIT, count, direct_messages, end_of
from tests.lifecycle.machines import Jobs
from tests.lifecycle.world import ANA, HOUR, MINUTE, PROBE, World, world
from tests.sandbox.compute_world import NOON

NIGHT, MORNING = NOON + 14 * HOUR, NOON + 20 * HOUR
"""02:00 and 08:00 on the next day."""
TEN = 10 * MINUTE


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines are probed."""
    async with world(sqlite_url, rules=HIGH_LIMIT, probe_line=PROBE) as made:
        yield made


async def with_jobs(here: World, **fields: object) -> tuple[Rental, Jobs]:
    """Return a rental that is ready for 30 hours, and the jobs of its machine. Its GPU works."""
    rental = await here.ready(**{"lease": 30 * HOUR, **fields})
    machine = here.machines[rental]
    machine.use(98)
    machine.jobs = Jobs(here.clock)
    await here.pass_time(4 * MINUTE)
    return await here.rental(rental.id), machine.jobs


async def told(here: World, rental: Rental) -> list[tuple[datetime, list[str], list[JobState]]]:
    """Return the messages that jobs have ended: their times, and the names and the ends of the jobs."""
    facts = [
        (event.at, event.facts) for event in await here.events(rental) if isinstance(event.facts, JobsEndedFacts)
    ]
    return [(at, [job.name for job in one.jobs], [job.state for job in one.jobs]) for at, one in facts]


async def card_version(here: World, rental: Rental) -> int:
    """Return the version of the rental that the card should show."""
    async with here.deps.store.read() as tx:
        card = await tx.messages.card(rental.id)
    assert card is not None
    return card.target_version


async def test_a_job_that_ends_at_night_is_told_once_by_the_next_probe_run(here: World) -> None:
    """Nobody but the owner gets a message, and the machine ends as before."""
    rental, jobs = await with_jobs(here)
    await here.be_down(NIGHT - here.now)
    await here.pass_time(4 * MINUTE)
    before, ends = await direct_messages(here, rental), end_of(rental)
    jobs.start(lasts=TEN, status=1)
    ended = here.now + TEN
    await here.pass_time(TEN)
    here.machines[rental].use(0)
    await here.pass_time(3 * HOUR)
    ((at, names, states),) = await told(here, rental)
    assert ended <= at <= ended + 3 * MINUTE
    assert (names, states) == (["python train.py"], [JobState.FAILED])
    assert await direct_messages(here, rental) == before + 1
    assert await count(here, rental, E.STILL_NEEDED) == await count(here, rental, E.NOBODY_ANSWERS) == 0
    async with here.deps.store.read() as tx:
        readers = [m.to.value for m in await tx.messages.direct_of(rental.id) if m.posted_at and m.posted_at >= at]
    assert readers == [ANA.id]
    assert end_of(await here.rental(rental.id)) == ends


async def test_the_message_is_the_first_question_and_the_next_waits_for_the_morning(here: World) -> None:
    rental, jobs = await with_jobs(here)
    await here.be_down(NIGHT - here.now)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN)
    here.machines[rental].use(0)
    await here.pass_time(MORNING - here.now - MINUTE)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    await here.pass_time(3 * MINUTE)
    event = await here.last_event(rental, E.STILL_NEEDED)
    assert event.facts.job is None
    asked = (await here.rental(rental.id)).running_lease.question.asked
    assert asked is not None
    assert asked.times == 2


async def test_two_jobs_are_told_together_once_both_have_ended(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start("python a.py", lasts=20 * MINUTE)
    jobs.start("python b.py", lasts=40 * MINUTE, uid=1000)
    await here.pass_time(30 * MINUTE)
    assert await told(here, rental) == []
    await here.pass_time(30 * MINUTE)
    ((_, names, _),) = await told(here, rental)
    assert names == ["python b.py", "python a.py"]
    jobs.start("python c.py", lasts=20 * MINUTE)
    await here.pass_time(HOUR)
    assert [names for _, names, _ in await told(here, rental)][1:] == [["python c.py"]]


async def test_short_jobs_alone_cause_no_message(here: World) -> None:
    """The next message lists them too."""
    rental, jobs = await with_jobs(here)
    for _ in range(3):
        jobs.start("curl", lasts=4 * MINUTE)
        await here.pass_time(6 * MINUTE)
    assert await told(here, rental) == []
    jobs.start(lasts=TEN)
    await here.pass_time(14 * MINUTE)
    ((_, names, _),) = await told(here, rental)
    assert names == ["python train.py", "curl", "curl", "curl"]


async def test_a_reboot_ends_a_job_in_an_unknown_way(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start()
    jobs.say("step 1")
    await here.pass_time(HOUR)
    assert (await here.rental(rental.id)).progress is not None
    jobs.vanish()
    await here.pass_time(4 * MINUTE)
    ((_, _, states),) = await told(here, rental)
    assert states == [JobState.UNKNOWN]
    assert (await here.rental(rental.id)).progress is None


async def test_a_job_that_ends_while_the_bot_is_down_is_told_afterwards(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=HOUR)
    began = here.now
    await here.pass_time(4 * MINUTE)
    await here.be_down(5 * HOUR)
    await here.pass_time(2 * MINUTE)
    ((_, _, states),) = await told(here, rental)
    facts = (await here.last_event(rental, E.JOBS_ENDED)).facts
    assert states == [JobState.DONE]
    assert abs(facts.jobs[0].ended_at - began - HOUR) < timedelta(seconds=1)


async def test_a_restart_between_the_report_and_the_message_loses_and_repeats_nothing(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=TEN)
    await here.pass_time(4 * MINUTE)
    here.jump(TEN)
    await here._run_pass(here.probe_runs)  # the report is stored, and the message isn't written yet
    assert await told(here, rental) == []
    assert (await here.rental(rental.id)).jobs is not None
    here.restart(here.deps)
    await here.pass_time(2 * MINUTE)
    assert len(await told(here, rental)) == 1
    here.restart(here.deps)
    await here.pass_time(HOUR)
    assert len(await told(here, rental)) == 1


async def test_one_of_two_processes_sends_the_message(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=TEN)
    await here.pass_time(4 * MINUTE)
    here.jump(TEN)
    await here._run_pass(here.probe_runs)
    second = Engine(replace(here.deps, store=beside(here.database)))
    await asyncio.gather(*(loop.run_pass() for loop in (*here.engine.loops, *second.loops)))
    await asyncio.gather(*(loop.drain() for loop in (*here.engine.loops, *second.loops)))
    await here.pass_time(2 * MINUTE)
    assert len(await told(here, rental)) == 1


# --- while a job is running


async def test_a_running_job_postpones_the_question_but_not_the_idle_time_or_the_end(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start()
    await here.pass_time(10 * MINUTE)
    here.machines[rental].use(0)
    stopped = here.now
    await here.pass_time(4 * HOUR - 4 * MINUTE)
    now = await here.rental(rental.id)
    assert now.use is not None
    assert (now.use.status, end_of(now)) == (UsageStatus.IDLE, end_of(rental))
    assert stopped - 2 * MINUTE <= now.use.since <= stopped
    assert await count(here, rental, E.STILL_NEEDED) == 0
    await here.pass_time(8 * MINUTE)
    event = await here.last_event(rental, E.STILL_NEEDED)
    assert event.facts.job is not None
    assert event.facts.job.name == "python train.py"
    assert event.facts.use.status is UsageStatus.IDLE


async def test_a_flexible_end_does_not_move_for_a_running_job(here: World) -> None:
    rental, jobs = await with_jobs(here, lease=2 * HOUR, up_to=6 * HOUR)
    jobs.start()
    here.machines[rental].use(0)
    await here.pass_time(4 * HOUR)
    assert (await here.rental(rental.id)).state.over
    assert await count(here, rental, E.END_MOVED) == 0


# --- progress


async def test_only_the_first_line_of_progress_makes_the_card_due(here: World) -> None:
    """The next ones wait for the card's refresh, and nobody gets a message."""
    rental, jobs = await with_jobs(here)
    jobs.start()
    await here.pass_time(4 * MINUTE)
    before, pings = await here.rental(rental.id), await direct_messages(here, rental)
    card_before = await card_version(here, rental)
    jobs.say("step 1")
    await here.pass_time(2 * MINUTE)
    first = await here.rental(rental.id)
    assert first.progress is not None
    assert (first.progress.text, first.version) == ("step 1", before.version + 1)
    edited = await card_version(here, rental)
    assert edited > card_before
    for step in range(2, 6):
        jobs.say(f"step {step}")
        await here.pass_time(2 * MINUTE)
    last = await here.rental(rental.id)
    assert last.progress is not None
    assert (last.progress.text, last.version) == ("step 5", first.version)
    assert await card_version(here, rental) == edited
    assert await direct_messages(here, rental) == pings
