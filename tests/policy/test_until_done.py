"""Machines that end when their jobs are done: which jobs count, and when the end moves and moves back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.errors import Mistake
from bot.model.base import changed
from bot.model.facts import WorkGoesOn
from bot.model.job import Job, JobReport, JobState, MachineJobs, ReportedJob, UntilDone
from bot.model.machine_use import GpuUse, Missed, Sample, UsageStatus, Use
from bot.model.rental import GracefulDestroy, Lease, Rental
from bot.model.state import State
from bot.policy.team.rules import Idle, ProbeKind, Rules
from bot.policy.use.jobs import (
    after_no_report,
    after_report,
    check_until_done,
    done_job,
    end_when_done,
    first_job_missing_at,
    resumed,
    until_done_from,
    with_fixed_end,
    work_that_goes_on,
)
from bot.policy.use.probing import needs_script
from tests.store import make

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RULES = Rules()
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
"""03:00 on a Tuesday."""
READY, LATEST = NOW - 3 * HOUR, NOW + 9 * HOUR
QUIET = NOW - 6 * MINUTE
"""The time of the first report without a running job."""


def job(state: JobState = JobState.DONE, **fields: Any) -> Job:
    ended = None if state is JobState.RUNNING else QUIET - MINUTE
    return Job(
        **{"id": "0.a", "uid": 0, "name": "a", "state": state, "began_at": READY, "ended_at": ended, **fields}
    )


def lease(**fields: Any) -> Lease:
    until_done = UntilDone(since=READY - HOUR)
    return changed(make.lease(), ready_at=READY, ends_at=LATEST, latest_end=None, until_done=until_done, **fields)


def machine(*jobs: Job, confirmed: bool = True, quiet: bool = True, **fields: Any) -> Rental:
    """Return a ready machine whose reports have shown since QUIET that none of root's jobs runs."""
    known = MachineJobs(jobs=jobs, quiet_since=QUIET if quiet else None, quiet_confirmed=confirmed)
    return make.rental(**{"state": State.READY, "jobs": known, "lease": lease(), **fields})


def samples(
    *gpus: int, peers: tuple[str, ...] = (), until: datetime = NOW, missed: Missed | None = None
) -> list[Sample]:
    """Return six samples, one every 2 minutes.

    The last ones show these readings. These peers are connected in all samples after QUIET.
    """
    count, found = 6, []
    for n in range(count):
        reading = gpus[n - count] if len(gpus) >= count - n else 0
        at = until - (count - 1 - n) * 2 * MINUTE
        later = peers if at > QUIET else ()
        found.append(
            Sample(
                rental_id="k7mq2",
                at=at,
                gpus=() if missed else (GpuUse(index=0, highest=reading),),
                peers=later,
                missed=missed,
            )
        )
    return found


def ends(rental: Rental, seen: list[Sample], use: Use | None = None) -> Job | None:
    return done_job(rental, use, seen, NOW, RULES)


def test_the_job_that_ended_last_decides_about_the_end() -> None:
    failed = job(JobState.FAILED, id="0.b", exit_status=1, ended_at=QUIET - 2 * MINUTE)
    assert ends(machine(failed, job()), samples()) == job()
    assert end_when_done(job(), NOW, RULES) == NOW + RULES.lease.grace
    later = changed(failed, ended_at=QUIET)
    assert ends(machine(later, job()), samples()) == later
    assert end_when_done(later, NOW, RULES) == NOW + HOUR
    assert end_when_done(job(JobState.UNKNOWN), NOW, RULES) == NOW + HOUR


def test_the_end_stays_where_it_is_while_anything_is_uncertain() -> None:
    one = machine(job())
    assert ends(one, samples()) == job()
    still = changed(one, lease=lease(graceful_destroy=GracefulDestroy(by="U0ANA", ends_at=LATEST)))
    soon = changed(one, lease=changed(lease(), ends_at=NOW + 10 * MINUTE))
    told = changed(
        one, lease=changed(lease(), until_done=UntilDone(since=READY - HOUR, told_at=NOW - 59 * MINUTE))
    )
    fixed = changed(one, lease=changed(lease(), until_done=None))
    rows = {
        "one report only": ends(machine(job(), confirmed=False), samples()),
        "another job runs": ends(
            machine(job(), job(JobState.RUNNING, id="0.b"), quiet=False, confirmed=False), samples()
        ),
        "no job ran": ends(machine(), samples()),
        "a job of another user": ends(machine(job(uid=1000)), samples()),
        "it began before the choice": ends(machine(job(began_at=READY - 2 * HOUR)), samples()),
        "no recent report": ends(one, samples(until=NOW - HOUR)),
        "no report": ends(one, samples(missed=Missed.NO_ANSWER)),
        "a GPU works": ends(one, samples(98)),
        "somebody connected": ends(one, samples(peers=("198.51.100.1:5000",))),
        "it is being destroyed": ends(still, samples()),
        "it ends as soon anyway": ends(soon, samples()),
        "the owner was told less than an hour ago": ends(told, samples()),
        "until done wasn't chosen": ends(fixed, samples()),
    }
    assert {why for why, found in rows.items() if found is not None} == set()


def test_after_work_went_on_another_job_or_an_idle_machine_moves_the_end_again() -> None:
    """A person who looks at the results may be connected for a while."""
    until_done = UntilDone(since=READY - HOUR, told_at=NOW - 2 * HOUR, resumed_at=QUIET)
    one = machine(job(), lease=changed(lease(), until_done=until_done))
    idle, connected = (Use(status=status, since=QUIET) for status in (UsageStatus.IDLE, UsageStatus.CONNECTED))
    assert ends(one, samples(), connected) is None
    assert ends(one, samples(), idle) == job()
    later = job(id="0.b", began_at=QUIET, ended_at=QUIET + MINUTE)
    assert ends(machine(later, lease=one.running_lease), samples(), connected) == later


def test_a_job_between_two_reports_counts_as_seen_running() -> None:
    """Otherwise, its own work on a GPU would look like work after it."""
    short = ReportedJob(
        id="0.a", uid=0, name="a", state=JobState.DONE, exit_status=0, age=MINUTE, ended_ago=timedelta(seconds=9)
    )
    before = after_report(after_report(None, JobReport(), READY), JobReport(), READY + 2 * MINUTE)
    assert (before.quiet_since, before.quiet_confirmed) == (READY, True)
    once = after_report(before, JobReport(jobs=(short,)), NOW)
    assert (once.quiet_since, once.quiet_confirmed) == (NOW, False)
    later = changed(short, age=3 * MINUTE, ended_ago=2 * MINUTE)
    twice = after_report(once, JobReport(jobs=(later,)), NOW + 2 * MINUTE)
    assert (twice.quiet_since, twice.quiet_confirmed) == (NOW, True)


def done(*jobs: Job) -> Rental:
    """Return a machine that ends because its job is done."""
    until_done = UntilDone(since=READY - HOUR, done=job(), done_seen_at=QUIET, told_at=QUIET)
    return machine(
        job(), *jobs, lease=changed(lease(), ends_at=NOW + MINUTE, latest_end=LATEST, until_done=until_done)
    )


@pytest.mark.parametrize(
    ("rental", "seen", "work"),
    [
        (done(), samples(), None),
        (done(job(JobState.RUNNING, id="0.b", began_at=NOW)), samples(), WorkGoesOn.JOB),
        (done(job(id="0.b", began_at=QUIET + MINUTE, ended_at=NOW)), samples(), WorkGoesOn.JOB),
        (done(job(JobState.RUNNING, id="9.b", uid=9, began_at=NOW)), samples(), None),
        (done(), samples(98), WorkGoesOn.GPU_OR_CONNECTION),
        (done(), samples(98, 0, 0, 0, 0), None),
        (done(), samples(peers=("198.51.100.1:5000",)), WorkGoesOn.GPU_OR_CONNECTION),
        (done(), samples(peers=("198.51.100.1:5000",))[:-1], None),
    ],
    ids=[
        "none",
        "job",
        "short job",
        "other user",
        "GPU",
        "GPU before the end",
        "connection",
        "connection for 2 min",
    ],
)
def test_only_work_after_the_jobs_end_takes_the_end_back(
    rental: Rental, seen: list[Sample], work: WorkGoesOn | None
) -> None:
    assert work_that_goes_on(rental, seen, RULES) is work


def test_a_connection_between_the_jobs_end_and_the_next_report_counts() -> None:
    """After a downtime of the bot, that can be hours. A connection from before the job's end is ignored."""
    peer = "198.51.100.1:5000"
    one = job(ended_at=QUIET - MINUTE)

    def seen(before: tuple[str, ...]) -> list[Sample]:
        found = samples(peers=(peer,))
        return [changed(sample, peers=(peer,) if sample.at >= QUIET else before) for sample in found]

    assert ends(machine(one), seen((peer,))) == one
    assert ends(machine(one), seen(())) is None
    assert work_that_goes_on(done(), seen((peer,)), RULES) is None
    assert work_that_goes_on(done(), seen(()), RULES) is WorkGoesOn.GPU_OR_CONNECTION


def test_two_reports_have_to_agree_again_after_one_without_jobs() -> None:
    """A job may have begun in the meantime."""
    quiet = MachineJobs(jobs=(job(),), quiet_since=QUIET, quiet_confirmed=True)
    unseen = after_no_report(quiet)
    assert unseen == MachineJobs(jobs=(job(),))
    assert ends(changed(machine(job()), jobs=unseen), samples()) is None
    once = after_report(unseen, JobReport(), NOW)
    assert (once.quiet_since, once.quiet_confirmed) == (NOW, False)


def test_a_missing_job_is_told_two_hours_after_both_ready_and_the_choice() -> None:
    assert first_job_missing_at(lease(), None) == READY + 2 * HOUR
    later = changed(lease(), until_done=UntilDone(since=NOW))
    assert first_job_missing_at(later, MachineJobs(jobs=(job(),))) == NOW + 2 * HOUR
    known = changed(lease(), until_done=UntilDone(since=READY, asked_at=NOW))
    for one, jobs in (
        (lease(), (job(),)),
        (known, ()),
        (done().running_lease, ()),
        (resumed(done().running_lease, NOW), ()),
        (changed(lease(), until_done=None), ()),
    ):
        assert first_job_missing_at(one, MachineJobs(jobs=jobs)) is None


def test_the_usual_end_survives_a_graceful_destroy() -> None:
    ending = done().running_lease
    destroyed = changed(
        ending,
        ends_at=NOW,
        latest_end=None,
        graceful_destroy=GracefulDestroy(by="U0ANA", ends_at=ending.ends_at, latest_end=LATEST),
    )
    after = resumed(destroyed, NOW)
    assert (after.ends_at, after.last_end, after.ends_when_done) == (NOW, LATEST, False)
    assert with_fixed_end(ending) == changed(ending, ends_at=LATEST, latest_end=None, until_done=None)


def test_choosing_it_again_while_it_ends_waits_for_the_next_job() -> None:
    chosen = until_done_from(done().running_lease, NOW)
    assert (chosen.ends_at, chosen.until_done) == (LATEST, UntilDone(since=NOW, told_at=QUIET))
    assert until_done_from(lease(), NOW) == lease()


def test_a_request_until_done_needs_the_probe_and_the_startup_script() -> None:
    asked = make.request(until_done=True)
    check_until_done(asked, RULES)
    assert needs_script(asked, ())
    with pytest.raises(Mistake, match="I can't see when a job is done"):
        check_until_done(changed(asked, probe=False), RULES)
    with pytest.raises(Mistake, match="switch monitoring off"):
        check_until_done(asked, Rules(idle=Idle(probe=ProbeKind.NONE)))
