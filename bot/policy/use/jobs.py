"""Decides what follows from the jobs on a machine: messages about their end, and the end of the lease. No I/O.

Anyone with write access to a machine can forge its reports about jobs. A report can therefore only shorten a
lease, or delay the question whether the machine is still needed. A report never makes a lease longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.errors import Mistake
from bot.model.attempt import Attempt, ScriptPart
from bot.model.base import changed
from bot.model.facts import WorkGoesOn
from bot.model.job import (
    MOST_REPORTED,
    ROOT,
    Job,
    JobReport,
    JobState,
    MachineJobs,
    Progress,
    ReportedJob,
    UntilDone,
)
from bot.model.machine_use import Sample, UsageStatus, Use
from bot.model.rental import Lease, Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import are_recent
from bot.policy.use.heartbeats import with_usual_end
from bot.policy.use.probing import has_probe, wants_probe
from bot.policy.use.usage_status import has_report, open_connections, shows_work

LONG_JOB = timedelta(minutes=5)
"""A job that lasted longer than this is worth a message when it ends."""
MOST_KEPT = 16
"""The maximum number of jobs that are stored for a machine."""
LOOK_AT_FAILURE = timedelta(hours=1)
"""The time until a machine ends after its last job failed, so that its owner can look into it."""
TELL_AGAIN_AFTER = timedelta(hours=1)
"""The shortest time between two notifications that the jobs on a machine are done."""
SAME_TIME = timedelta(seconds=5)
"""The largest difference between two times that were computed from the machine's ages for the same moment."""
PROGRESS_LASTS = timedelta(days=1)
"""The time for which people see a line of progress after it was written."""
FIRST_JOB_WITHIN = timedelta(hours=2)
"""The time after becoming ready in which a job is expected to start on a machine that ends with its jobs."""


# --- reports


def after_report(before: MachineJobs | None, report: JobReport, at: datetime) -> MachineJobs:
    """Return the jobs of a machine after a report that arrived at `at`, by the bot's clock.

    A report says how long ago each job began and ended. Two reports about one job can differ by a second. A job
    that was known before therefore keeps the times that were computed first.

    If a running job is missing from the report, its end is unknown. This happens if the machine was rebooted, for
    example. If the report had no room for the job, nothing is known about it, so it counts as running.
    """
    before = before or MachineJobs()
    known = {job.id: job for job in before.jobs}
    jobs = [_reported(job, known.get(job.id), at) for job in report.jobs]
    missing = [job for job in before.jobs if job.id not in {one.id for one in report.jobs}]
    jobs += [
        changed(job, state=JobState.UNKNOWN, ended_at=at) if job.running and _had_room(report, job) else job
        for job in missing
        if job.running or _is_untold(job, before)
    ]
    quiet = not any(job.running and job.uid == ROOT for job in jobs)
    # A short job may have begun and ended since the last report, so it appears for the first time when it is
    # already over. The machine wasn't without jobs for the whole time in between.
    ran_between = any(job.uid == ROOT and job.id not in known for job in jobs)
    quiet_since = None if ran_between else before.quiet_since
    return MachineJobs(
        jobs=tuple(jobs[:MOST_KEPT]),
        told_until=before.told_until,
        quiet_since=(quiet_since or at) if quiet else None,
        quiet_confirmed=quiet and quiet_since is not None,
    )


def _had_room(report: JobReport, job: Job) -> bool:
    """Return whether a report would contain `job` if it was running.

    A report contains running jobs before jobs that have ended, and running jobs of root before those of others.
    """
    before = [one for one in report.jobs if one.state is JobState.RUNNING and (one.uid == ROOT or job.uid != ROOT)]
    return len(before) < MOST_REPORTED


def after_no_report(jobs: MachineJobs) -> MachineJobs:
    """Return the jobs of a machine after a probe run that reported nothing about jobs.

    A job may have begun since the last report. Two more reports must therefore show that none of root's jobs runs.
    """
    return changed(jobs, quiet_since=None, quiet_confirmed=False)


def _reported(job: ReportedJob, known: Job | None, at: datetime) -> Job:
    ended_at = None if job.ended_ago is None else at - job.ended_ago
    began_at = at - job.age
    if known is not None:
        began_at, ended_at = known.began_at, known.ended_at or ended_at
    if job.state is JobState.RUNNING:
        ended_at = None
    return Job(
        id=job.id,
        uid=job.uid,
        name=job.name,
        state=job.state,
        exit_status=job.exit_status,
        began_at=began_at,
        ended_at=ended_at,
    )


def progress_of(report: JobReport, before: Progress | None, at: datetime) -> Progress | None:
    """Return a machine's newest line of progress, after a report that arrived at `at` by the bot's clock.

    A report says how long ago the line was written. Two reports about one line can differ by a second. A line that
    was known before therefore keeps its time, unless it was clearly written again. None if the machine no longer
    has a line of progress.

    Args:
        before: The line of progress before this report.
    """
    if report.progress is None:
        return None
    progress = Progress(text=report.progress.text, at=at - report.progress.age)
    same = before is not None and before.text == progress.text and abs(before.at - progress.at) <= SAME_TIME
    return before if same else progress


def shown_progress(rental: Rental, now: datetime) -> Progress | None:
    """Return the newest progress of a ready machine.

    None if no job has printed progress, or if the newest progress is older than PROGRESS_LASTS.
    """
    progress = rental.progress
    if rental.state is not State.READY or progress is None or now - progress.at > PROGRESS_LASTS:
        return None
    return progress


def _is_untold(job: Job, jobs: MachineJobs) -> bool:
    return job.ended_at is not None and (jobs.told_until is None or job.ended_at > jobs.told_until)


# --- the end of the work


def ended_to_tell(rental: Rental) -> tuple[Job, ...]:
    """Return the jobs whose end the owner should be notified of now, newest first.

    They are all jobs that ended since the last notification, if at least one of them took longer than LONG_JOB.
    Empty while any job is running. Jobs that end the lease (`until done`) are left out, because they have a
    message of their own.
    """
    jobs = rental.jobs
    if jobs is None or jobs.running:
        return ()
    until_done = rental.lease.until_done if rental.lease is not None else None
    ended = [job for job in jobs.jobs if _is_untold(job, jobs) and not _counts(job, until_done)]
    return newest_first(ended) if any(map(_took_long, ended)) else ()


def main_job(ended: Sequence[Job]) -> Job:
    """Return the job that a message about these ended jobs is mainly about.

    This is the first job in the list that took longer than LONG_JOB. If none did, it is the first one.
    """
    return next(filter(_took_long, ended), ended[0])


def _took_long(job: Job) -> bool:
    return job.ended_at is not None and job.ended_at - job.began_at > LONG_JOB


def newest_first(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """Return jobs that have ended, the one that ended last first."""
    return tuple(sorted(jobs, key=lambda job: job.ended_at or job.began_at, reverse=True))


def running_job(rental: Rental) -> Job | None:
    """Return the running job that began first. None if the machine reports no running job."""
    return (
        min(rental.jobs.running, key=lambda job: job.began_at, default=None) if rental.jobs is not None else None
    )


# --- leases that end when the jobs on their machine are done


def check_until_done(request: Request, rules: Rules) -> None:
    """Refuse a request with `until done` if the bot couldn't see the jobs on the machine. Raises Mistake."""
    if not request.until_done or wants_probe(request, rules):
        return
    if request.probe:
        raise Mistake(
            "Your team's rules switch monitoring off, so I can't see when a job is done. "
            "Leave out `until done`, and name an end: `for 4h`."
        )
    raise Mistake(
        "With `no-probe`, I can't see when a job is done. Leave out `no-probe`, or name an end: `for 4h`."
    )


def _counts(job: Job, until_done: UntilDone | None) -> bool:
    """Return whether a job can end the lease.

    Only jobs of root that began after `until done` was chosen can end it. People log in as root, and a container
    could forge the jobs of any other user.
    """
    return until_done is not None and job.uid == ROOT and job.began_at > until_done.since


def first_job_since(rental: Rental, at: datetime) -> Job | None:
    """Return the first running job that began after `at` and can end the lease of a ready machine.

    None if there is no such job.
    """
    until_done = rental.running_lease.until_done
    running = rental.jobs.running if rental.jobs is not None else ()
    started = [job for job in running if job.began_at > at and _counts(job, until_done)]
    return min(started, key=lambda job: job.began_at, default=None)


def last_job(rental: Rental) -> Job | None:
    """Return the job whose end means that the lease of a ready machine should end.

    This is the job that ended last, among root's jobs that began after `until done` was chosen. None if there is
    no such job. The result is also None until two reports in a row have shown that root has no running job.
    """
    jobs, until_done = rental.jobs, rental.running_lease.until_done
    if jobs is None or not jobs.quiet_confirmed:
        return None
    ended = newest_first(job for job in jobs.jobs if _counts(job, until_done))
    return ended[0] if ended else None


def done_job(
    rental: Rental, use: Use | None, samples: Sequence[Sample], now: datetime, rules: Rules
) -> Job | None:
    """Return the job that moves the end of the lease now, or None if the end stays where it is.

    The end stays where it is in these cases:

    - The newest reports are too old or incomplete.
    - A GPU has worked or somebody has connected since the last job ended.
    - Work went on after this job, so the previous end of the lease was restored. The machine isn't idle yet.
    - The owner was notified less than TELL_AGAIN_AFTER ago.
    - The lease ends just as soon anyway.

    Args:
        use: The usage status now.
        samples: The newest samples, oldest first.
    """
    lease, job = rental.running_lease, last_job(rental)
    until_done, jobs = lease.until_done, rental.jobs
    if job is None or until_done is None or jobs is None or until_done.done is not None:
        return None
    if not are_seen(samples, now) or lease.graceful_destroy is not None:
        return None
    if until_done.told_at is not None and now - until_done.told_at < TELL_AGAIN_AFTER:
        return None
    if until_done.resumed_at is not None and (job.ended_at or job.began_at) < until_done.resumed_at:
        if use is None or use.status is not UsageStatus.IDLE:
            return None
    elif jobs.quiet_since is None or work_after(samples, jobs.quiet_since, rules, ended_at=job.ended_at):
        return None
    return job if end_when_done(job, now, rules) < lease.ends_at else None


def are_seen(samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether the bot knows a machine's current jobs.

    The newest sample must be recent and have a report. `samples` are the newest ones, oldest first.
    """
    return are_recent(samples, now) and has_report(samples[-1])


def end_when_done(job: Job, now: datetime, rules: Rules) -> datetime:
    """Return the end of a lease whose last job is done: one grace period from now, or longer if the job failed."""
    return now + (rules.lease.grace if job.state is JobState.DONE else LOOK_AT_FAILURE)


def work_that_goes_on(rental: Rental, samples: Sequence[Sample], rules: Rules) -> WorkGoesOn | None:
    """Return the work that was seen after the jobs were done, or None if there was none.

    If there was such work, the lease should get its previous end back.
    """
    until_done, jobs = rental.running_lease.until_done, rental.jobs
    if until_done is None or until_done.done_seen_at is None:
        return None
    later = [job for job in jobs.jobs if job.began_at > until_done.done_seen_at] if jobs is not None else []
    if jobs is not None and any(_counts(job, until_done) for job in (*jobs.running, *later)):
        return WorkGoesOn.JOB
    ended_at = until_done.done.ended_at if until_done.done is not None else None
    works = work_after(samples, until_done.done_seen_at, rules, ended_at=ended_at)
    return WorkGoesOn.GPU_OR_CONNECTION if works else None


def work_after(samples: Sequence[Sample], at: datetime, rules: Rules, *, ended_at: datetime | None) -> bool:
    """Return whether samples show that a GPU worked or somebody connected after the last job had ended.

    A connection is ignored until it is two minutes old. Internet scanners keep theirs for up to that long.

    Args:
        at: The time of the first report without a running job. Earlier GPU work may belong to the job.
        ended_at: The time at which the last job ended. Connections that were open before it are ignored. If
            unknown, `at` is used.
    """
    if any(shows_work(sample, rules.idle) for sample in samples if sample.at > at):
        return True
    ended_at = at if ended_at is None else min(ended_at, at)
    known = {peer for sample in samples if sample.at <= ended_at for peer in sample.peers}
    after = [sample for sample in samples if sample.at > ended_at]
    opened = [changed(s, peers=tuple(peer for peer in s.peers if peer not in known)) for s in after]
    return open_connections(opened)[0] > 0


def resumed(lease: Lease, now: datetime) -> Lease:
    """Restore the previous end of a lease that was about to end because its jobs were done.

    Any other lease is returned unchanged. The restored lease can end early again once later jobs are done. If
    somebody has asked to destroy the machine gracefully, the machine is still destroyed.
    """
    until_done = lease.until_done
    if until_done is None or not lease.ends_when_done:
        return lease
    until_done = changed(until_done, done=None, done_seen_at=None, resumed_at=now)
    if lease.graceful_destroy is not None:
        destroy = changed(lease.graceful_destroy, ends_at=lease.last_end, latest_end=None)
        return changed(lease, graceful_destroy=destroy, until_done=until_done)
    return changed(lease, ends_at=lease.last_end, latest_end=None, until_done=until_done)


def until_done_from(lease: Lease, now: datetime) -> Lease:
    """Return a lease that ends when its jobs are done, but not later than its latest end.

    If the lease didn't depend on its jobs before, only jobs that begin after `now` can end it.
    """
    lease, before = resumed(lease, now), lease.until_done
    if before is None:
        until_done = UntilDone(since=now)
    elif before.done is not None:
        until_done = UntilDone(since=now, told_at=before.told_at)
    else:
        until_done = before
    return changed(lease, ends_at=lease.last_end, latest_end=None, until_done=until_done)


def lease_for_new_owner(rental: Rental, now: datetime) -> Lease:
    """Return the lease of a machine that gets a new owner.

    The new owner's machine doesn't end because of jobs that ended before. If the lease was about to end because of
    them, its previous end is restored. A job that is running still counts.
    """
    lease = resumed(with_usual_end(rental.running_lease), now)
    running = rental.jobs.running if rental.jobs is not None else ()
    if lease.until_done is None or any(_counts(job, lease.until_done) for job in running):
        return lease
    return changed(lease, until_done=UntilDone(since=now))


def shows_jobs(rental: Rental, attempts: Iterable[Attempt], rules: Rules) -> bool:
    """Return whether the bot can see the jobs on a ready machine.

    It can if the startup script has installed `gpubot-run`, or if the machine has reported a job.
    """
    attempt = next((one for one in attempts if one.live), None)
    sent = attempt.script if attempt is not None else None
    has_run = sent is not None and ScriptPart.RUN in sent.parts
    return has_probe(rental, attempt, rules) and (has_run or rental.jobs is not None)


def check_shows_jobs(rental: Rental, attempts: Iterable[Attempt], rules: Rules) -> None:
    """Refuse to let a ready machine end when its jobs are done if the bot can't see them. Raises Mistake."""
    if shows_jobs(rental, attempts, rules):
        return
    raise Mistake(f"I can't see the jobs on {rental.id}, because it has no gpubot-run. Nothing was changed.")


def with_fixed_end(lease: Lease) -> Lease:
    """Return a lease whose end no longer depends on jobs.

    If the lease was about to end because its jobs were done, its previous end is restored. If somebody has asked
    to destroy the machine gracefully, the machine is still destroyed.
    """
    return changed(resumed(lease, lease.seen_at), until_done=None)


def first_job_missing_at(lease: Lease, jobs: MachineJobs | None) -> datetime | None:
    """Return the time at which the owner is notified that no job has started.

    None if a job that can end the lease has started, if the owner was already notified, or if the lease doesn't
    depend on its jobs.
    """
    until_done = lease.until_done
    if until_done is None or until_done.asked_at is not None:
        return None
    # After a restart, the machine's reports no longer contain the jobs that had ended before the restart.
    if until_done.done is not None or until_done.resumed_at is not None:
        return None
    if jobs is not None and any(_counts(job, until_done) for job in jobs.jobs):
        return None
    return max(lease.ready_at, until_done.since) + FIRST_JOB_WITHIN


# --- idle questions


def question_waits_until(rental: Rental, use: Use, rules: Rules) -> datetime | None:
    """Return the time until which a running job delays the question whether the machine is still needed.

    The delay is counted from the last work that was seen. Its length is the policy key `idle.job_counts`. None if
    no job is running.
    """
    return use.since + rules.idle.job_counts if running_job(rental) is not None else None
