"""Simulates the jobs on a machine, which people start there with `gpubot-run`, and the program that reports them.

docs/probe.md has the format. No command is really run: the control API sets when a job begins and ends, what it
prints about its progress, and how busy it keeps the GPUs.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST_REPORTED = 8
"""The maximum number of jobs in a report."""
LONGEST_TEXT = 100
"""The maximum number of characters of a name, and of a line of progress."""
TOUCHED_EVERY = timedelta(seconds=30)
"""The time between two marks of `gpubot-run` that a job is still running."""
KEPT_FOR = timedelta(days=1)
"""The start of a job removes what is known of jobs that ended earlier than this."""


@dataclass(frozen=True)
class Line:
    """A line of progress, and the time at which it is printed."""

    at: datetime
    text: str


@dataclass
class Job:
    """A command that was started with `gpubot-run`."""

    id: str
    """The user ID and a random part: `0.4f1c9a0b7d`."""
    uid: int
    """The ID of the user who started it; 0 is root."""
    name: str
    """The names that `gpubot-run` notes, such as `python train.py`."""
    began_at: datetime
    percents: tuple[int, ...] = (0,)
    """The utilization of each GPU while the job runs; a single number applies to all GPUs."""
    lines: tuple[Line, ...] = ()
    """The lines of progress, in the order of their times. Some may be in the future."""
    ends_at: datetime | None = None
    """None if the job runs until the control API ends it."""
    status: int | None = 0
    """The exit status with which it ends. None if `gpubot-run` is killed together with it and can't note one."""

    def runs(self, now: datetime) -> bool:
        """Return whether the job is running."""
        return self.began_at <= now and (self.ends_at is None or now < self.ends_at)

    def percent(self, gpu: int) -> int:
        """Return the utilization of the GPU with this index while the job runs."""
        return self.percents[gpu % len(self.percents)]

    def progress(self, now: datetime) -> Line | None:
        """Return the newest line that the job has printed, or None."""
        return next((line for line in reversed(self.lines) if line.at <= now), None)

    def say(self, text: str, now: datetime) -> None:
        """Print a line of progress now. Lines that are planned for later stay."""
        later = tuple(line for line in self.lines if line.at > now)
        self.lines = (*(line for line in self.lines if line.at <= now), Line(now, text), *later)

    def end(self, status: int | None, now: datetime) -> None:
        """End the job now. What was planned for later doesn't happen."""
        self.ends_at, self.status = now, status
        self.lines = tuple(line for line in self.lines if line.at <= now)

    def seen_last_at(self) -> datetime | None:
        """Return the time of the last sign of life of a job. None if the job has no end.

        This is the job's end, or if its outcome is unknown, the last time at which `gpubot-run` noted that the
        job was running.
        """
        if self.ends_at is None or self.status is not None:
            return self.ends_at
        return self.ends_at - (self.ends_at - self.began_at) % TOUCHED_EVERY


@dataclass
class JobsPart:
    """The program `gpubot-run` on a machine, with its jobs."""

    jobs: list[Job] = field(default_factory=list)
    """The jobs that the machine knows, in the order in which they were started."""

    def start(self, job: Job) -> None:
        """Start a job, and forget the jobs that ended more than a day ago."""
        old = job.began_at - KEPT_FOR
        self.jobs = [
            each for each in self.jobs if each.runs(job.began_at) or (each.seen_last_at() or job.began_at) >= old
        ]
        self.jobs.append(job)

    def percent(self, gpu: int, now: datetime) -> int:
        """Return the utilization of a GPU by the jobs that are running: that of the busiest one."""
        return max((job.percent(gpu) for job in self.jobs if job.runs(now)), default=0)

    def report(self, now: datetime) -> str:
        """Return the section with the jobs that follows the probe's report."""
        rows = sorted((_row(job, now) for job in self.jobs), key=lambda row: row[:2])
        newest = _newest(job.progress(now) for job in self.jobs)
        lines = [
            "gpubot-jobs 1",
            *(line for _, _, line in rows[:MOST_REPORTED]),
            *([] if newest is None else [f"progress {_seconds(newest.at, now)} {_as_printed(newest.text)}"]),
            "jobs-end",
        ]
        return "\n".join(lines) + "\n"


def _row(job: Job, now: datetime) -> tuple[int, int, str]:
    """Return the key by which the jobs in a report are sorted, and the job's line.

    The running jobs of root come first, then those of other users, newest first. The jobs that have ended
    follow, most recent first.
    """
    age, key = _seconds(job.began_at, now), job.id.partition(".")[2]
    last = job.seen_last_at()
    if job.runs(now) or last is None:
        place, order, state, ended = int(job.uid != 0), age, "running", "-"
    else:
        order = _seconds(last, now)
        place, state, ended = 2, "unknown" if job.status is None else f"exit-{job.status}", str(order)
    name = re.sub(r"[^ -~]", "?", job.name)[:LONGEST_TEXT].rstrip(" ")
    return place, order, f"job {key} {job.uid} {state} {age} {ended} {name}"


def _newest(lines: Iterable[Line | None]) -> Line | None:
    there: Sequence[Line] = [line for line in lines if line is not None and _as_printed(line.text)]
    return max(there, key=lambda line: line.at, default=None)


def _as_printed(text: str) -> str:
    """Return a line of progress as the machine prints it: without control characters, and not too long."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text)[:LONGEST_TEXT].rstrip(" ")


def _seconds(since: datetime, now: datetime) -> int:
    """Return an age in seconds, as a machine computes it from times without fractions."""
    return max(0, int(now.timestamp()) - int(since.timestamp()))
