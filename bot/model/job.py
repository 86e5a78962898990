"""Jobs: commands that people run on their machines with `gpubot-run`, as the probe reports them.

A machine keeps a small file for each job. Anyone who can write on the machine can also write such a file, so a
report about jobs proves nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from bot.model.base import Frozen, Instant

ROOT = 0
"""The user ID of root. People log in as root, so only root's jobs determine when an `until done` lease ends."""
MOST_REPORTED = 8
"""The maximum number of jobs in a report."""


class JobState(StrEnum):
    """The state of a job."""

    RUNNING = "running"
    DONE = "done"
    """The command ended with exit status 0."""
    FAILED = "failed"
    """The command ended with another exit status."""
    UNKNOWN = "unknown"
    """The job no longer runs, and nobody knows how it ended. For example, the machine was rebooted."""


class ReportedJob(Frozen):
    """A job in one report that a machine has sent. The machine's own clock measures `age` and `ended_ago`."""

    id: str
    """The user ID and the random part of the file's name: `0.q7Xk2`. It is unique among the jobs of a machine."""
    uid: int = Field(ge=0)
    """The ID of the user to whom the file belongs."""
    name: str
    """The program, and its script if it has one: `python train.py`. Untrusted text: escape it for display."""
    state: JobState
    exit_status: int | None = Field(default=None, ge=0, le=255)
    """The exit status of a command that has ended. None if it isn't known."""
    age: timedelta = Field(ge=timedelta(0))
    """The time since the job began."""
    ended_ago: timedelta | None = Field(default=None, ge=timedelta(0))
    """The time since the job ended. None while it is running."""


class ReportedProgress(Frozen):
    """The newest line of progress that a machine has sent in one report."""

    text: str
    """At most 100 characters. Untrusted text: escape it for display."""
    age: timedelta = Field(ge=timedelta(0))


class JobReport(Frozen):
    """The jobs in one report of a machine, running ones first, and the newest line of progress."""

    jobs: tuple[ReportedJob, ...] = ()
    progress: ReportedProgress | None = None


class Job(Frozen):
    """A job on a machine. `began_at` and `ended_at` are times on the bot's clock, which a sandbox can set."""

    id: str
    uid: int = Field(ge=0)
    name: str
    """Untrusted text: escape it for display."""
    state: JobState
    exit_status: int | None = Field(default=None, ge=0, le=255)
    began_at: Instant
    ended_at: Instant | None = None
    """The time at which the job ended. None while it is running.

    If the end isn't known, this is the last time at which the machine saw the job run. If the machine no longer
    reports the job, it is the time of the first report without it.
    """

    @property
    def running(self) -> bool:
        return self.state is JobState.RUNNING

    def lasted(self, now: datetime) -> timedelta:
        """Return the duration of the job. If the job is still running, return the duration until now."""
        return max((self.ended_at or now) - self.began_at, timedelta(0))


class Progress(Frozen):
    """The newest line that a job printed about its progress with `gpubot-run say`."""

    text: str
    """At most 100 characters. Untrusted text: escape it for display."""
    at: Instant
    """The time at which the line was written, on the bot's clock."""


class MachineJobs(Frozen):
    """The jobs of a machine, according to its latest reports."""

    jobs: tuple[Job, ...] = ()
    """The running jobs and the jobs that ended recently, in the order of the latest report."""
    told_until: Instant | None = None
    """The time until which the owner has been notified of all jobs that ended. None if they never were."""
    quiet_since: Instant | None = None
    """The time of the first report since which none of root's jobs has run.

    None while a job of root is running, and before the first report.
    """
    quiet_confirmed: bool = False
    """True if at least two reports in a row have shown that none of root's jobs is running."""

    @property
    def running(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.running)


class UntilDone(Frozen):
    """The owner's wish that a lease ends when its jobs are done.

    When the jobs are done, the lease gets an earlier end, and `latest_end` keeps the previous one. If the bot then
    sees more work on the machine, the lease gets the previous end back.
    """

    since: Instant
    """The time at which the owner chose this. Jobs that began earlier are ignored."""
    done: Job | None = None
    """The job that ended last, if the lease now ends earlier because of it. None otherwise."""
    done_seen_at: Instant | None = None
    """The time of the first report that showed no running job. Set together with `done`."""
    told_at: Instant | None = None
    """The time at which the owner was last notified that the jobs are done. None if they never were."""
    resumed_at: Instant | None = None
    """The time at which work was last seen after the jobs seemed done. The previous end was then restored."""
    asked_at: Instant | None = None
    """The time at which the owner was told that no job has started. None if they weren't."""
