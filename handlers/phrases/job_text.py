"""Phrases about the jobs on a machine."""

from __future__ import annotations

from bot.model.job import Job, JobState
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.text import about_span
from bot.policy.use.jobs import running_job, shown_progress
from handlers.phrases.format import Times, ago, escape, first_few, join, join_lines

JOBS_SHOWN = 5
"""The maximum number of jobs in one text. If there are more, the text says how many."""
KILLED = 137
"""The exit status of a command that was ended by SIGKILL: 128 + 9.

See pubs.opengroup.org/onlinepubs/9799919799, Shell Command Language, 2.8.2.
"""


def job_name(job: Job) -> str:
    """Return the name of a job, such as `python train.py`."""
    return escape(job.name, 100)


def exit_text(job: Job) -> str:
    """Return the outcome of a job, such as `exit 0` or `exit status 137 (killed, often out of memory)`.

    If the job is running, return `running`.
    """
    if job.running:
        return "running"
    if job.exit_status is None:
        return "exit status unknown"
    if job.state is JobState.DONE:
        return "exit 0"
    killed = " (killed, often out of memory)" if job.exit_status == KILLED else ""
    return f"exit status {job.exit_status}{killed}"


def ended_text(job: Job) -> str:
    """Return the name and the outcome of a job, such as `python train.py, exit 0`."""
    return f"{job_name(job)}, {exit_text(job)}"


def progress_now(rental: Rental, times: Times) -> str:
    """Return the newest progress of a ready machine with its age. Empty if there is none.

    An example is `step 1200 of 8000, loss 2.1 (1 minute ago)`.
    """
    progress = shown_progress(rental, times.now)
    return f"{escape(progress.text, 100)} ({ago(progress.at)})" if progress is not None else ""


def work_now(rental: Rental, times: Times) -> str:
    """Return the first running job of a ready machine, and the newest progress.

    An example is `Job: python train.py, step 1200 of 8000, loss 2.1 (1 minute ago).` The name of the job is left
    out if the reader isn't allowed to see it. Empty if no job is running and there is no progress.
    """
    running = running_job(rental) if rental.state is State.READY else None
    text = join(job_name(running) if running is not None else "", progress_now(rental, times), by=", ")
    return f"Job: {text}." if text else ""


def jobs_now(rental: Rental, times: Times) -> str:
    """Return the jobs of a ready machine, the running ones first, and the newest progress on a line of its own.

    An example is `Jobs: python train.py, running for 3 h; curl, exit 0 after 2 min`. The jobs are left out if the
    reader isn't allowed to see them.
    """
    known = rental.jobs.jobs if rental.jobs is not None and rental.state is State.READY else ()
    texts = [
        f"{ended_text(job)} {'for' if job.running else 'after'} {about_span(job.lasted(times.now))}"
        for job in known
    ]
    listed = "; ".join(first_few(texts, JOBS_SHOWN))
    word = "Job" if len(known) == 1 else "Jobs"
    progress = progress_now(rental, times)
    return join_lines(f"{word}: {listed}." if listed else "", f"Progress: {progress}." if progress else "")
