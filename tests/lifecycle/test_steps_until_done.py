"""Machines that end when their jobs are done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from bot.errors import Mistake, TooLate
from bot.lifecycle.actions import deciding, ending, giving, leasing, waiting
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.facts import WorkGoesOn
from bot.model.job import JobState
from bot.model.machine_use import Missed
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import AutoApprove
from tests.databases import beside
from tests.lifecycle.engine import Engine
from tests.lifecycle.leases import HIGH_LIMIT, count, direct_messages, end_of
from tests.lifecycle.machines import Jobs, Script
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, PROBE, World, world

GRACE = 15 * MINUTE
TEN = 10 * MINUTE
SEEN = 5 * MINUTE
"""The time in which at least two probe runs see that a job has ended."""


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines are probed."""
    async with world(sqlite_url, rules=HIGH_LIMIT, probe_line=PROBE) as made:
        yield made


async def with_jobs(here: World, **fields: object) -> tuple[Rental, Jobs]:
    """Return a ready rental that ends with its jobs, after 12 hours at most, and the jobs of its idle machine."""
    rental = await here.ready(**{"lease": 12 * HOUR, "until_done": True, **fields})
    jobs = here.machines[rental].jobs = Jobs(here.clock)
    await here.pass_time(4 * MINUTE)
    return await here.rental(rental.id), jobs


async def after_job(here: World, status: int | None = 0, **fields: object) -> tuple[Rental, Jobs, datetime]:
    """Return a rental whose only job ran for 10 minutes, its jobs, and its usual end."""
    rental, jobs = await with_jobs(here, **fields)
    usual = end_of(rental)
    jobs.start(lasts=TEN, status=status)
    await here.pass_time(TEN + SEEN)
    return await here.rental(rental.id), jobs, usual


async def one_probe_run(here: World, rental: Rental) -> None:
    runs = here.machines[rental].probe_runs

    async def ran() -> bool:
        return here.machines[rental].probe_runs > runs

    await here.pass_time(TEN, ran)


async def destroyed_at(here: World, rental: Rental) -> datetime:
    """Let time pass, with probe runs, until the rental is destroyed. Return the start of its destruction."""
    await here.until(rental, State.DESTROYED, within=16 * HOUR)
    event = await here.last_event(rental, E.DESTROYING)
    assert event.facts.why is Why.LEASE_ENDED
    return event.at


# --- the job is done


async def test_the_machine_ends_one_grace_period_after_its_job_succeeds(here: World) -> None:
    """The owner gets one message for it, and the budget stays reserved for all 12 hours until the deletion."""
    rental, jobs = await with_jobs(here)
    before, usual = await direct_messages(here, rental), end_of(rental)
    jobs.start(lasts=TEN)
    ended = here.now + TEN
    await here.pass_time(TEN + SEEN)
    rental = await here.rental(rental.id)
    done = await here.last_event(rental, E.JOB_DONE)
    assert end_of(rental) == done.facts.until == done.at + GRACE
    assert ended < done.at <= ended + SEEN
    assert rental.running_lease.last_end == usual
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await direct_messages(here, rental) == before + 1
    assert await count(here, rental, E.JOBS_ENDED) == await count(here, rental, E.ENDING) == 0


async def test_two_probe_runs_have_to_see_that_no_job_runs(here: World) -> None:
    """A script can start its next job within two minutes."""
    rental, jobs = await with_jobs(here)
    job = jobs.start()
    await here.pass_time(TEN)
    jobs.end(job)
    await one_probe_run(here, rental)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN)
    assert await count(here, rental, E.JOB_DONE) == 0
    await here.pass_time(SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1


@pytest.mark.parametrize(("status", "state"), [(137, JobState.FAILED), (None, JobState.UNKNOWN)])
async def test_after_another_end_the_owner_has_an_hour_to_look(
    here: World, status: int | None, state: JobState
) -> None:
    rental, _, _ = await after_job(here, status)
    pings = await direct_messages(here, rental)
    done = await here.last_event(rental, E.JOB_DONE)
    assert done.facts.job.state is state
    assert end_of(rental) == done.at + HOUR
    assert await destroyed_at(here, rental) == done.at + HOUR
    assert await direct_messages(here, rental) == pings


async def test_a_reboot_is_an_unknown_end(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=None)
    await here.pass_time(TEN)
    jobs.vanish()
    await here.pass_time(SEEN)
    done = await here.last_event(rental, E.JOB_DONE)
    assert done.facts.job.state is JobState.UNKNOWN


async def test_jobs_of_other_users_end_nothing(here: World) -> None:
    """Anybody on the machine could forge such a success. The owner is told about it as on any machine."""
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=TEN, uid=1000)
    await here.pass_time(TEN + SEEN)
    assert end_of(await here.rental(rental.id)) == end_of(rental)
    assert await count(here, rental, E.JOB_DONE) == 0
    assert await count(here, rental, E.JOBS_ENDED) == 1


async def test_a_job_of_another_user_does_not_hold_up_the_end(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=None, uid=1000)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1


async def test_a_job_that_began_before_the_choice_ends_nothing(here: World) -> None:
    """It was chosen on the running machine. The next job counts."""
    rental, jobs = await with_jobs(here, until_done=False)
    jobs.start(lasts=HOUR)
    await here.pass_time(TEN)
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, timedelta(0), until_done=True))
    await here.pass_time(HOUR + SEEN)
    assert await count(here, rental, E.JOB_DONE) == 0
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1


async def test_a_job_that_ends_shortly_before_the_usual_end_moves_nothing(here: World) -> None:
    rental, jobs = await with_jobs(here, lease=HOUR)
    jobs.start(lasts=45 * MINUTE)
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.JOB_DONE) == 0


async def test_without_a_job_it_ends_at_its_usual_end_with_the_usual_notice(here: World) -> None:
    rental, _ = await with_jobs(here, lease=HOUR)
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.ENDING) == 1


# --- the on-ending script


async def test_the_script_runs_before_the_end_and_delays_it_by_one_grace_period(here: World) -> None:
    rental, jobs = await with_jobs(here)
    script = here.machines[rental].script = Script(here.clock, None)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + SEEN)
    end = end_of(await here.rental(rental.id))
    assert [at for at, _ in script.starts] == [end.replace(microsecond=0)]
    assert await destroyed_at(here, rental) == end + GRACE


# --- work that goes on


async def test_a_new_job_gives_the_machine_its_usual_end_back(here: World) -> None:
    """Once that job has ended as well, the machine ends."""
    rental, jobs, usual = await after_job(here)
    jobs.start(lasts=2 * HOUR)
    await here.pass_time(SEEN)
    rental = await here.rental(rental.id)
    assert (await here.last_event(rental, E.WORK_GOES_ON)).facts.work is WorkGoesOn.JOB
    assert end_of(rental) == usual
    assert rental.running_lease.latest_end is None
    await here.pass_time(2 * HOUR + SEEN)
    assert await count(here, rental, E.JOB_DONE) == 2


async def test_gpu_work_after_the_job_gives_the_machine_its_usual_end_back(here: World) -> None:
    rental, _, usual = await after_job(here)
    here.machines[rental].use(98)
    await here.pass_time(HOUR)
    rental = await here.rental(rental.id)
    assert (await here.last_event(rental, E.WORK_GOES_ON)).facts.work is WorkGoesOn.GPU_OR_CONNECTION
    assert end_of(rental) == usual


async def test_a_connection_after_the_job_gives_the_machine_its_usual_end_back(here: World) -> None:
    """A connection that was open during the job doesn't count: many people leave a terminal open."""
    rental, jobs = await with_jobs(here)
    here.machines[rental].use(0, peers=["198.51.100.1:5000"])
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1
    here.machines[rental].use(0, peers=["198.51.100.1:5000", "198.51.100.2:6000"])
    await here.pass_time(TEN)
    assert await count(here, rental, E.WORK_GOES_ON) == 1


async def test_the_owner_is_pinged_once_an_hour_at_most(here: World) -> None:
    """A loop of short jobs with pauses would otherwise ping every few minutes."""
    rental, jobs = await with_jobs(here)
    began = here.now
    while here.now < began + 2 * HOUR:
        jobs.start(lasts=MINUTE)
        await here.pass_time(8 * MINUTE)
    at = [event.at for event in await here.events(rental) if event.kind is E.JOB_DONE]
    assert 2 <= len(at) <= 3
    assert all(later - earlier >= HOUR for earlier, later in pairwise(at))


# --- keep


async def test_keeping_it_restores_the_usual_end_without_an_approval(here: World) -> None:
    rental, jobs, usual = await after_job(here)
    rental = await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))
    assert (end_of(rental), rental.running_lease.until_done) == (usual, None)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + HOUR)
    assert end_of(await here.rental(rental.id)) == usual
    assert await count(here, rental, E.JOB_DONE) == await count(here, rental, E.KEPT_WHEN_DONE) == 1


async def test_keeping_it_twice_changes_nothing_more(here: World) -> None:
    rental, _, _ = await after_job(here)
    await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))
    await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))
    assert await count(here, rental, E.KEPT_WHEN_DONE) == 1


async def test_keeping_it_at_the_last_moment_wins(here: World) -> None:
    rental, _, usual = await after_job(here)
    here.jump(end_of(rental) - here.now)
    await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))
    await here.pass_time(HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)


async def test_keeping_it_too_late_is_refused(here: World) -> None:
    rental, _, _ = await after_job(here)
    await here.until(rental, State.DESTROYING)
    with pytest.raises(TooLate, match=r"is already being deleted, so it can't be kept\."):
        await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))
    await here.until(rental, State.DESTROYED)
    with pytest.raises(TooLate, match=r"is already deleted, so it can't be kept\."):
        await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))


async def test_saying_that_it_is_needed_keeps_it_as_well(here: World) -> None:
    rental, _, usual = await after_job(here)
    rental = await here.keep(rental, HOUR)
    assert (end_of(rental), rental.running_lease.until_done) == (usual, None)


async def test_cancelling_a_graceful_destroy_keeps_it(here: World) -> None:
    rental, jobs = await with_jobs(here)
    here.machines[rental].script = Script(here.clock, 30 * MINUTE)
    usual = end_of(rental)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + SEEN)
    await carry_out(here.deps, ANA, ending.Destroy(rental.id, graceful_destroy=True))
    await here.pass_time(MINUTE)
    assert (await here.rental(rental.id)).running_lease.graceful_destroy is not None
    lease = (await carry_out(here.deps, ANA, leasing.KeepWhenDone(rental.id))).running_lease
    assert (lease.ends_at, lease.graceful_destroy, lease.until_done) == (usual, None, None)


async def test_extending_it_gives_it_a_fixed_end(here: World) -> None:
    rental, _, _ = await after_job(here)
    soon = end_of(rental)
    rental = await here.extend(rental, HOUR)
    lease = rental.running_lease
    assert (lease.ends_at, lease.latest_end, lease.until_done) == (soon + HOUR, None, None)


# --- until done on a running machine


async def test_a_running_machine_gets_more_time_and_ends_with_its_next_job(here: World) -> None:
    rental, jobs = await with_jobs(here, until_done=False, lease=2 * HOUR)
    first = end_of(rental)
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, 4 * HOUR, until_done=True))
    rental = await here.rental(rental.id)
    assert end_of(rental) == first + 4 * HOUR
    with pytest.raises(Mistake, match="already ends when its job is done"):
        await carry_out(here.deps, ANA, leasing.Extend(rental.id, timedelta(0), until_done=True))
    await here.pass_time(MINUTE)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN + SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1


async def test_a_flexible_end_becomes_the_latest_one(here: World) -> None:
    rental, _ = await with_jobs(here, until_done=False, lease=2 * HOUR, up_to=6 * HOUR)
    last = rental.running_lease.last_end
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, timedelta(0), until_done=True))
    lease = (await here.rental(rental.id)).running_lease
    assert (lease.ends_at, lease.latest_end) == (last, None)
    assert lease.until_done is not None


async def test_more_time_that_needs_approval_takes_effect_with_it(here: World) -> None:
    rules = changed(here.deps.rules, auto_approve=AutoApprove(total=Decimal(10)))
    here.restart(replace(here.deps, rules=rules))
    rental, _ = await with_jobs(here, until_done=False, lease=2 * HOUR)
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, 24 * HOUR, until_done=True))
    assert (await here.rental(rental.id)).running_lease.until_done is None
    rental = await here.approve(await here.rental(rental.id))
    assert rental.running_lease.until_done is not None


@pytest.mark.parametrize("until_done", [False, True])
async def test_asking_for_more_time_while_it_ends_gives_it_the_usual_end(here: World, *, until_done: bool) -> None:
    """An approver may decide after the jobs' end, and the time until the usual end is already approved."""
    rental, _, usual = await after_job(here)
    rules = changed(here.deps.rules, auto_approve=AutoApprove(total=Decimal(10)))
    here.restart(replace(here.deps, rules=rules))
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, 24 * HOUR, until_done=until_done))
    await here.pass_time(HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    assert rental.extension is not None
    assert (rental.running_lease.until_done is not None) is until_done


async def test_a_machine_without_gpubot_run_cannot_end_with_its_jobs(here: World) -> None:
    rental = await here.ready(probe=False)
    with pytest.raises(Mistake, match="no gpubot-run"):
        await carry_out(here.deps, ANA, leasing.Extend(rental.id, timedelta(0), until_done=True))


# --- no job


async def test_the_owner_is_told_once_if_no_job_starts_within_two_hours(here: World) -> None:
    rental, _ = await with_jobs(here)
    ready_at = rental.running_lease.ready_at
    await here.pass_time(5 * HOUR)
    assert [event.at for event in await here.events(rental) if event.kind is E.NO_JOB] == [ready_at + 2 * HOUR]


async def test_a_job_that_started_in_time_causes_no_such_message(here: World) -> None:
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=4 * HOUR)
    await here.pass_time(3 * HOUR)
    assert await count(here, rental, E.NO_JOB) == 0


async def test_a_machine_that_cannot_be_seen_causes_no_such_message(here: World) -> None:
    rental, _ = await with_jobs(here)
    here.machines[rental].misses(Missed.REFUSED)
    await here.pass_time(3 * HOUR)
    assert await count(here, rental, E.NO_JOB) == 0


# --- outages and people


async def test_after_a_downtime_the_first_probe_runs_decide(here: World) -> None:
    """The bot was down from before the job's end. The job that runs again keeps the machine."""
    rental, jobs = await with_jobs(here)
    jobs.start(lasts=TEN)
    await here.be_down(2 * HOUR)
    await here.pass_time(SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1
    jobs.start(lasts=HOUR)
    await here.be_down(20 * MINUTE)
    await here.pass_time(SEEN)
    rental = await here.rental(rental.id)
    assert rental.state is State.READY
    assert await count(here, rental, E.WORK_GOES_ON) == 1


async def test_after_a_downtime_at_the_end_the_owner_gets_another_grace_period(here: World) -> None:
    rental, _, _ = await after_job(here)
    await here.be_down(25 * MINUTE)
    back = here.now
    assert await destroyed_at(here, rental) == back + GRACE


async def test_a_new_owner_gets_the_usual_end_and_the_machine_still_ends_with_its_jobs(here: World) -> None:
    rental, jobs, usual = await after_job(here)
    await carry_out(here.deps, ANA, giving.Give(rental.id, BEN.id))
    shown = end_of(rental).replace(microsecond=0)
    await carry_out(here.deps, BEN, giving.Take(rental.id, shown))
    rental = await here.rental(rental.id)
    assert (rental.owner, end_of(rental)) == (BEN.id, usual)
    await here.pass_time(MINUTE)
    jobs.start(lasts=TEN)
    await here.pass_time(HOUR + TEN)
    assert await count(here, rental, E.JOB_DONE) == 2


async def test_jobs_of_the_former_owner_do_not_end_the_machine_of_the_new_one(here: World) -> None:
    rental, _, usual = await after_job(here)
    await carry_out(here.deps, ANA, giving.Give(rental.id, BEN.id))
    await carry_out(here.deps, BEN, giving.Take(rental.id, end_of(rental).replace(microsecond=0)))
    await here.pass_time(90 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    assert await count(here, rental, E.JOB_DONE) == 1


async def test_a_restart_at_any_moment_repeats_nothing(here: World) -> None:
    """The report is stored, then the new end with its message, then the machine is told, then it is deleted."""
    rental, jobs = await with_jobs(here)
    job = jobs.start()
    await here.pass_time(TEN)
    jobs.end(job)
    for _ in range(15):
        here.restart(here.deps)
        await here.pass_time(MINUTE)
        here.jump(MINUTE)
        await here._run_pass(here.probe_runs)  # what it saw is stored, and no step has run
    here.restart(here.deps)
    await here.until(rental, State.DESTROYED)
    kinds = await here.event_kinds(rental)
    assert [kinds.count(kind) for kind in (E.JOB_DONE, E.DESTROYING, E.ENDED, E.ENDING)] == [1, 1, 1, 0]
    assert await here.alive() == []


async def test_one_of_two_processes_moves_the_end(here: World) -> None:
    rental, jobs = await with_jobs(here)
    job = jobs.start()
    await here.pass_time(TEN)
    jobs.end(job)
    await one_probe_run(here, rental)
    here.jump(2 * MINUTE)
    await here._run_pass(here.probe_runs)
    second = Engine(replace(here.deps, store=beside(here.database)))
    await asyncio.gather(*(loop.run_pass() for loop in (*here.engine.loops, *second.loops)))
    await asyncio.gather(*(loop.drain() for loop in (*here.engine.loops, *second.loops)))
    await here.pass_time(2 * MINUTE)
    assert await count(here, rental, E.JOB_DONE) == 1


async def test_all_hours_stay_reserved_until_the_deletion_begins(here: World) -> None:
    async def reserved() -> int:
        async with here.deps.store.read() as tx:
            return sum(one.amount for one in await tx.budgets.reservations(rental.id))

    rental, jobs = await with_jobs(here)
    jobs.start(lasts=TEN)
    await here.pass_time(TEN - MINUTE)
    before = await reserved()
    await here.pass_time(SEEN)
    assert await count(here, rental, E.JOB_DONE) == 1
    assert await reserved() == before
    await here.until(rental, State.DESTROYED)
    assert await reserved() == 0


# --- before the machine is ready


async def test_fewer_hours_and_a_start_time_keep_the_choice(here: World) -> None:
    rules = changed(here.deps.rules, auto_approve=AutoApprove(total=Decimal(5)))
    here.restart(replace(here.deps, rules=rules))
    fewer = await here.get(until_done=True, lease=12 * HOUR)
    await carry_out(here.deps, BEN, deciding.Approve(fewer.id, fewer.terms.version, length=4 * HOUR))
    lease = (await here.until(fewer, State.READY)).running_lease
    assert (lease.until_done is not None, lease.ends_at) == (True, lease.ready_at + 4 * HOUR)
    here.restart(replace(here.deps, rules=changed(rules, auto_approve=AutoApprove(total=Decimal(1000)))))
    start = here.now + HOUR
    quote = await here.ask(until_done=True, starts_at=start, until=start + 2 * HOUR, lease=2 * HOUR)
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id))).rental
    assert rental is not None
    lease = (await here.until(rental.id, State.READY, within=3 * HOUR)).running_lease
    assert (lease.until_done is not None, lease.ends_at) == (True, start + 2 * HOUR)
