"""What is known about jobs after a report, and what follows: messages about their end, and later questions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.model.base import changed
from bot.model.job import (
    ROOT,
    JobReport,
    JobState,
    MachineJobs,
    Progress,
    ReportedJob,
    ReportedProgress,
    UntilDone,
)
from bot.model.machine_use import UsageStatus, Use
from bot.model.rental import Lease, Question, Rental
from bot.model.state import State
from bot.policy.team.rules import Rules
from bot.policy.use import questions
from bot.policy.use.jobs import (
    MOST_KEPT,
    after_report,
    ended_to_tell,
    main_job,
    progress_of,
    question_waits_until,
    shown_progress,
)
from tests.policy.use_stories import READY, replay, samples_of
from tests.store import make

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
RULES = Rules()
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
"""03:00 on a Tuesday."""
EVENING = datetime(2026, 11, 23, 20, tzinfo=UTC)


def reported(
    key: str = "0.a", age: timedelta = HOUR, ended_ago: timedelta | None = None, status: int | None = 0
) -> ReportedJob:
    """Return a job as a machine reports it: running, or ended with this exit status (None: unknown)."""
    state = JobState.RUNNING
    if ended_ago is not None:
        state = {None: JobState.UNKNOWN, 0: JobState.DONE}.get(status, JobState.FAILED)
    return ReportedJob(
        id=key,
        uid=int(key.split(".", maxsplit=1)[0]),
        name="python train.py",
        state=state,
        exit_status=status if ended_ago is not None else None,
        age=age,
        ended_ago=ended_ago,
    )


def after(*reports: tuple[datetime, list[ReportedJob]]) -> MachineJobs:
    """Return the jobs of a machine after these reports."""
    jobs: MachineJobs | None = None
    for at, listed in reports:
        jobs = after_report(jobs, JobReport(jobs=tuple(listed)), at)
    assert jobs is not None
    return jobs


def rental(jobs: MachineJobs | None, **lease: Any) -> Rental:
    return make.rental(state=State.READY, jobs=jobs, lease=changed(make.lease(), **lease))


# --- after a report


def test_a_job_keeps_the_times_of_its_first_report() -> None:
    """The ages in two reports can differ by a second."""
    jobs = after(
        (NOW, [reported(age=10 * MINUTE)]),
        (NOW + 2 * MINUTE, [reported(age=12 * MINUTE + SECOND)]),
        (NOW + 4 * MINUTE, [reported(age=14 * MINUTE, ended_ago=30 * SECOND)]),
        (NOW + 6 * MINUTE, [reported(age=16 * MINUTE, ended_ago=151 * SECOND)]),
    )
    (job,) = jobs.jobs
    assert (job.began_at, job.ended_at) == (NOW - 10 * MINUTE, NOW + 3.5 * MINUTE)
    assert job.state is JobState.DONE


def test_a_running_job_that_is_missing_has_an_unknown_end() -> None:
    jobs = after((NOW, [reported("0.a"), reported("0.b")]), (NOW + 2 * MINUTE, [reported("0.b")]))
    vanished = next(job for job in jobs.jobs if job.id == "0.a")
    assert (vanished.state, vanished.ended_at) == (JobState.UNKNOWN, NOW + 2 * MINUTE)
    assert [job.id for job in jobs.running] == ["0.b"]


def test_a_running_job_for_which_a_report_has_no_room_still_runs() -> None:
    """A report has eight jobs, those of root first. The ninth is listed again once another one has ended."""
    nine = [reported(f"0.{n}") for n in range(9)]
    full = after((NOW, nine[:8]), (NOW + 2 * MINUTE, nine[1:]))
    assert {job.id for job in full.running} == {job.id for job in nine}
    others = [changed(job, id=f"9.{job.id}", uid=9) for job in nine]
    vanished = after((NOW, nine[:1]), (NOW + 2 * MINUTE, others[:8]))
    assert not any(job.uid == ROOT for job in vanished.running)
    assert {job.id for job in after((NOW, others[:1]), (NOW, nine[:8])).running} >= {others[0].id}


def test_a_missing_job_is_forgotten_once_the_owner_knows_that_it_ended() -> None:
    ended = [reported(ended_ago=MINUTE)]
    untold = after((NOW, ended), (NOW + 2 * MINUTE, []))
    assert [job.id for job in untold.jobs] == ["0.a"]
    told = changed(untold, told_until=NOW + 2 * MINUTE)
    assert after_report(told, JobReport(), NOW + 4 * MINUTE).jobs == ()


def test_a_machine_that_always_reports_other_jobs_fills_only_so_many_places() -> None:
    reports = [
        (NOW + n * MINUTE, [reported(f"0.{n}x{m}", age=6 * MINUTE, ended_ago=SECOND) for m in range(8)])
        for n in range(10)
    ]
    assert len(after(*reports).jobs) == MOST_KEPT


# --- progress


def test_progress_keeps_its_time_until_a_line_is_written_again() -> None:
    def said(text: str, age: timedelta) -> JobReport:
        return JobReport(progress=ReportedProgress(text=text, age=age))

    first = progress_of(said("step 1", MINUTE), None, NOW)
    assert first == Progress(text="step 1", at=NOW - MINUTE)
    assert progress_of(said("step 1", 3 * MINUTE + SECOND), first, NOW + 2 * MINUTE) == first
    again = progress_of(said("step 1", SECOND), first, NOW + 2 * MINUTE)
    assert again == Progress(text="step 1", at=NOW + 2 * MINUTE - SECOND)
    other = progress_of(said("step 2", 3 * MINUTE), first, NOW + 2 * MINUTE)
    assert other is not None
    assert other.text == "step 2"
    assert progress_of(JobReport(), first, NOW) is None


def test_progress_is_shown_for_a_day_while_the_machine_is_ready() -> None:
    one = changed(rental(None), progress=Progress(text="step 1", at=NOW))
    assert shown_progress(one, NOW + 24 * HOUR) is not None
    assert shown_progress(one, NOW + 24 * HOUR + SECOND) is None
    assert shown_progress(changed(one, state=State.DESTROYING), NOW) is None


# --- jobs whose end is told


RUN, DONE = reported("0.r"), reported("0.a", age=20 * MINUTE, ended_ago=MINUTE)
SHORT = reported("0.s", age=6 * MINUTE, ended_ago=MINUTE)
OTHER = reported("1000.o", age=20 * MINUTE, ended_ago=2 * MINUTE, status=1)


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ([DONE], ["0.a"]),
        ([DONE, RUN], []),
        ([SHORT], []),
        ([OTHER, SHORT, DONE], ["0.s", "0.a", "1000.o"]),
        ([reported("0.u", age=20 * MINUTE, ended_ago=MINUTE, status=None)], ["0.u"]),
        ([], []),
    ],
    ids=["done", "another runs", "five minutes are short", "newest first", "unknown end", "none"],
)
def test_the_end_of_a_long_job_is_told_once_none_is_running(jobs: list[ReportedJob], told: list[str]) -> None:
    known = after((NOW, jobs))
    assert [job.id for job in ended_to_tell(rental(known))] == told
    assert ended_to_tell(rental(changed(known, told_until=NOW))) == ()


def test_a_message_is_about_the_last_job_that_took_long() -> None:
    told = ended_to_tell(rental(after((NOW, [SHORT, OTHER, DONE]))))
    assert main_job(told).id == "0.a"
    assert main_job(told[:1]).id == "0.s"


def test_jobs_that_end_the_lease_have_a_message_of_their_own() -> None:
    """Jobs of other users and jobs that began before are told as always."""
    known = after((NOW, [DONE, OTHER]))
    assert [job.id for job in ended_to_tell(rental(known, until_done=UntilDone(since=NOW - HOUR)))] == ["1000.o"]
    later = UntilDone(since=NOW - 5 * MINUTE)
    assert [job.id for job in ended_to_tell(rental(known, until_done=later))] == ["0.a", "1000.o"]


# --- the questions that follow


def lease_of(question: Question) -> Lease:
    return Lease(
        ready_at=EVENING,
        ends_at=EVENING + 40 * HOUR,
        notices_checked_at=EVENING,
        seen_at=EVENING,
        question=question,
    )


def asked_next(question: Question, use: Use) -> datetime | None:
    """Return the time of the next question to an owner in UTC about a machine for $18.40 an hour."""
    lease = lease_of(question)
    at = questions.next_question(lease, use, Decimal("18.40"), RULES)
    return at and questions.in_hours(at, lease, use, urgent=True, zone=ZoneInfo("UTC"), rules=RULES)


def test_the_message_about_a_job_counts_as_the_first_question_of_its_idle_period() -> None:
    """It was sent at night. The next question waits for the owner's hours, although the machine is expensive."""
    idle = Use(status=UsageStatus.IDLE, since=NOW - MINUTE)
    morning = datetime(2026, 11, 24, 8, tzinfo=UTC)
    told = questions.after_job_end(Question(), NOW)
    assert asked_next(told, idle) == morning
    first = asked_next(Question(), idle)
    assert first is not None
    assert first < NOW + 10 * MINUTE
    second = questions.after_asking(told, idle, morning)
    assert second.asked is not None
    assert (second.asked.times, second.asked.first_at) == (2, NOW)
    assert asked_next(second, idle) == morning + 4 * HOUR


def test_work_after_the_message_begins_a_new_idle_period() -> None:
    told = questions.after_job_end(Question(), NOW)
    worked = Use(status=UsageStatus.IDLE, since=NOW + HOUR)
    assert questions.asked_about(told, worked) is None
    burst = changed(worked, idle_period=NOW - MINUTE)
    assert questions.asked_about(told, burst) == told.asked


def test_an_earlier_answer_outlasts_the_message_about_a_job() -> None:
    """Nobody is asked again before the time that the owner chose, and no approver is told."""
    kept = questions.after_answer(Question(), NOW + 8 * HOUR, promised=True)
    told = questions.after_job_end(kept, NOW)
    idle = Use(status=UsageStatus.IDLE, since=NOW - MINUTE)
    assert asked_next(told, idle) == NOW + 8 * HOUR
    one = make.rental(state=State.READY, use=idle, lease=lease_of(told))
    assert questions.unanswered(one, idle) is None
    expired = questions.after_job_end(changed(kept, quiet_until=NOW - HOUR), NOW)
    unanswered = questions.unanswered(changed(one, lease=lease_of(expired)), idle)
    assert unanswered is not None
    assert unanswered.first_at == NOW


@pytest.mark.parametrize(
    ("probe_runs", "waits"),
    [
        ("1h 98, 1h 0", "5:00"),
        ("1h 98, 3h 0, 6m 98, 1h 0", "8:06"),
        ("1h 98, 1h 0 +code", "5:00"),
        ("2h 0", "4:00"),
    ],
    ids=["idle", "a burst", "connected", "never used"],
)
def test_a_running_job_postpones_the_question_to_four_hours_after_the_last_work(
    probe_runs: str, waits: str
) -> None:
    use = replay(samples_of(probe_runs), RULES)[-1]
    hours, minutes = map(int, waits.split(":"))
    expected = READY + timedelta(hours=hours, minutes=minutes)
    running = rental(after((NOW, [RUN])))
    assert question_waits_until(running, use, RULES) == expected
    assert question_waits_until(rental(after((NOW, [DONE]))), use, RULES) is None
    lease = changed(lease_of(Question()), ready_at=READY, ends_at=READY + 40 * HOUR)
    for rate in (Decimal(2), Decimal(100)):
        asked = questions.next_question(lease, use, rate, RULES, job_counts_until=expected)
        assert asked == expected
