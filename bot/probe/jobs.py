"""Parses the section of a report that lists the jobs on a machine. docs/probe.md describes the format.

Nothing in it is trusted, because anyone who can write on the machine can change it. A line that can't be parsed is
ignored.
"""

from __future__ import annotations

import re
from datetime import timedelta

from bot.model.job import MOST_REPORTED, JobReport, JobState, ReportedJob, ReportedProgress
from bot.model.text import one_line
from bot.probe.sections import section

FIRST_LINE, LAST_LINE = "gpubot-jobs 1", "jobs-end"
LONGEST_TEXT = 100
"""The maximum length of a job's name and of a line of progress, in characters."""

_JOB = re.compile(
    r"job ([A-Za-z0-9]{1,32}) (\d{1,10}) (running|unknown|exit-(\d{1,3})) (\d{1,10}) (-|\d{1,10}) (.+)", re.ASCII
)
_PROGRESS = re.compile(r"progress (\d{1,10}) (.+)", re.ASCII)


def read_jobs(text: bytes) -> JobReport | None:
    """Parse the section about the jobs, which a machine prints after the probe's report.

    Returns None if `text` has no complete section in this version of the format.
    """
    lines = section(text, FIRST_LINE, LAST_LINE)
    if lines is None:
        return None
    jobs: dict[str, ReportedJob] = {}
    progress: ReportedProgress | None = None
    for line in lines:
        if job := _job(line):
            jobs.setdefault(job.id, job)
        elif found := _PROGRESS.fullmatch(line):
            said = one_line(found[2], LONGEST_TEXT)
            progress = ReportedProgress(text=said, age=timedelta(seconds=int(found[1]))) if said else progress
    return JobReport(jobs=tuple(jobs.values())[:MOST_REPORTED], progress=progress)


def _job(line: str) -> ReportedJob | None:
    """Parse a line such as `job q7Xk2 0 exit-137 2520 12 python train.py`. None if the line is invalid."""
    found = _JOB.fullmatch(line)
    if found is None:
        return None
    key, uid, state, status, age, ended, name = found.groups()
    exit_status = int(status) if status is not None else None
    running = state == JobState.RUNNING
    shown = one_line(name, LONGEST_TEXT)
    if not shown or running != (ended == "-") or (exit_status is not None and exit_status > 255):
        return None
    return ReportedJob(
        id=f"{uid}.{key}",
        uid=int(uid),
        name=shown,
        state=_state(state, exit_status),
        exit_status=exit_status,
        age=timedelta(seconds=int(age)),
        ended_ago=None if running else timedelta(seconds=int(ended)),
    )


def _state(state: str, exit_status: int | None) -> JobState:
    if exit_status is None:
        return JobState(state)
    return JobState.DONE if exit_status == 0 else JobState.FAILED
