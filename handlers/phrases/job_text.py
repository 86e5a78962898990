"""Phrases about the jobs on a machine."""

from __future__ import annotations

from bot.model.job import Job, JobState, Progress
from bot.model.text import about_span
from handlers.phrases.format import Times, escape

KILLED = 137
"""The exit status of a command that was ended by SIGKILL: 128 + 9.

See pubs.opengroup.org/onlinepubs/9799919799, Shell Command Language, 2.8.2.
"""


def job_name(job: Job) -> str:
    """Return the name of a job, such as `python train.py`."""
    return escape(job.name, 100)


def exit_text(job: Job) -> str:
    """Return how a job ended, such as `exit 0` or `exit status 137 (killed, often out of memory)`.

    If it is running, the text is `running`.
    """
    if job.running:
        return "running"
    if job.exit_status is None:
        return "exit status unknown"
    if job.state is JobState.DONE:
        return "exit 0"
    killed = " (killed, often out of memory)" if job.exit_status == KILLED else ""
    return f"exit status {job.exit_status}{killed}"


def progress_text(progress: Progress, times: Times) -> str:
    """Return the newest progress with its age, such as `step 1200 of 8000, loss 2.1 (1 min ago)`."""
    return f"{escape(progress.text, 100)} ({about_span(times.now - progress.at)} ago)"
