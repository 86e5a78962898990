"""Messages about the jobs on a machine, and about leases that end when the jobs are done."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.event import EventKind
from bot.model.facts import JobDoneFacts, JobsEndedFacts, QuestionFacts, UntilFacts, WorkGoesOn, WorkGoesOnFacts
from bot.model.job import Job, JobState
from bot.model.machine_use import UsageStatus
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.text import about_span
from bot.policy.use.jobs import first_job_since, main_job, running_job
from handlers.ids import Action, SpanValue
from handlers.messages.ends import soon
from handlers.messages.needed import answered, cost_fact, keep_buttons, no_longer_ends_soon
from handlers.messages.writers import EventContext, cost_of, direct, no_longer_ready, thread, until_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Json, Rendered, button
from handlers.phrases.ends import ends_fact, on_ending_text
from handlers.phrases.format import first_few, join, per_hour, sentence
from handlers.phrases.job_text import JOBS_SHOWN, ended_text
from handlers.phrases.lease_buttons import destroy_button, keep_button
from handlers.phrases.rental_text import machine, so_far

_TO_LOOK = ", so that you can look"

# --- the thread


@thread(EventKind.JOBS_ENDED)
def _jobs_ended(context: EventContext[JobsEndedFacts]) -> str:
    return sentence(f"The {_job_of(context)} {_how(main_job(context.facts.jobs), context.event.at)}")


@thread(EventKind.JOB_DONE)
def _job_done(context: EventContext[JobDoneFacts]) -> str:
    is_done = "is done" if context.facts.job.state is JobState.DONE else _how(context.facts.job, context.event.at)
    at = context.times.at_time(context.facts.until)
    return f"The {_job_of(context)} {is_done}, so the machine ends {at}."


@thread(EventKind.WORK_GOES_ON)
def _work_goes_on(context: EventContext[WorkGoesOnFacts]) -> str:
    until = context.times.time(context.facts.until)
    return f"{_what_goes_on(context)}, so {context.this_machine} keeps running, until {until} at the latest."


@thread(EventKind.KEPT_WHEN_DONE)
def _kept_when_done(context: EventContext[UntilFacts]) -> str:
    kept = f"{context.actor} decided to keep {context.this_machine} until {until_text(context)}"
    return f"{kept}, even if its job is done."


@thread(EventKind.NO_JOB)
def _no_job(context: EventContext[QuestionFacts]) -> str:
    return f"No job has started on {context.this_machine} yet."


def _job_of(context: EventContext) -> str:
    return f"job on {context.this_machine}"


def _how(job: Job, at: datetime) -> str:
    """Return the outcome and the duration of a job that has ended by `at`: `finished after 3 h 12 min`."""
    verbs = {JobState.DONE: "finished", JobState.FAILED: "failed"}
    return f"{verbs.get(job.state, 'stopped')} after {about_span(job.lasted(at))}"


def _what_goes_on(context: EventContext[WorkGoesOnFacts]) -> str:
    if context.facts.work is WorkGoesOn.JOB:
        return "Another job has started"
    return "A GPU is working or somebody has connected"


# --- to the owner


@direct(EventKind.JOBS_ENDED)
def _work_has_ended(context: EventContext[JobsEndedFacts]) -> Rendered:
    """Notify the owner that the jobs on their machine have ended, and ask whether the machine is still needed.

    Once somebody has answered, the message shows the answer. If the machine works again, the message shows that
    instead of the question.
    """
    rental, facts = context.rental, context.facts
    if rental.state is not State.READY:
        return no_longer_ready(context)
    answer = context.outcome
    if answer is not None:
        return answered(context, answer)
    works = _works_again(context)
    if works:
        # A closed message is never edited again, so don't close this one. If the new work ends soon, no new
        # message is sent, and this message has to show its buttons again.
        return blocks.message(works, closed=False)
    main = main_job(facts.jobs)
    others = "; ".join(first_few([ended_text(job) for job in facts.jobs if job is not main], JOBS_SHOWN))
    return blocks.of_parts(
        blocks.lead(
            f"Your job on {machine(rental)} {_how(main, context.event.at)}.",
            _runs_until(context),
        ),
        blocks.facts(
            Fact("Job", ended_text(main)),
            cost_fact(context),
            Fact("Also ended", others),
        ),
        blocks.actions(destroy_button(rental), *keep_buttons(rental, "Keep it, ask again in")),
    )


def _runs_until(context: EventContext) -> str:
    ends = ends_fact(context.rental, context.times, context.event.at)
    return ends.sentence if context.rental.running_lease.until_done else f"The machine runs until {ends.value}."


def _works_again(context: EventContext[JobsEndedFacts]) -> str:
    """Return a sentence saying that the machine works again. Empty if it doesn't."""
    use, job, times = context.rental.use, running_job(context.rental), context.times
    if job is not None and job.began_at > context.event.at:
        return f"Another job has been running on {machine(context.rental)} since {times.time(job.began_at)}."
    if use is not None and use.status is UsageStatus.IN_USE and use.since > context.event.at:
        return sentence(f"{context.machine} has been in use again since {times.time(use.since)}")
    return ""


@direct(EventKind.JOB_DONE)
def _ends_when_done(context: EventContext[JobDoneFacts]) -> Rendered:
    """Notify the owner and the teammates that the machine ends soon, because its last job is done.

    Once work goes on, or somebody keeps or extends the machine, the message says so.
    """
    rental, facts, times, details = context.rental, context.facts, context.times, context.details
    if (outdated := no_longer_ends_soon(context, facts.until)) is not None:
        return outdated
    job, whose = facts.job, "Your" if context.by_owner else "The"
    ended, look = {JobState.DONE: ("is done", ""), JobState.FAILED: ("failed", _TO_LOOK)}.get(
        job.state, ("stopped", _TO_LOOK)
    )
    cost = (cost_of(facts) or details.spent) if details.sees_money else None
    lasted = about_span(job.lasted(context.event.at))
    script = on_ending_text(rental, times, context.event.at)
    return blocks.of_parts(
        blocks.lead(
            f"{whose} job {ended}: {machine(rental)} ends {soon(context)}{look}.",
            "Copy your results off: the disk is deleted with it.",
        ),
        blocks.small(join(f"{ended_text(job)} after {lasted}", so_far(cost) if cost else "", script, by=" · ")),
        blocks.actions(keep_button(rental), destroy_button(rental) if context.by_owner else None),
    )


@direct(EventKind.NO_JOB)
def _no_job_has_started(context: EventContext[QuestionFacts]) -> Rendered:
    rental, times, facts = context.rental, context.times, context.facts
    if rental.state is not State.READY:
        return no_longer_ready(context)
    answer = context.outcome
    if answer is not None:
        return answered(context, answer)
    started = first_job_since(rental, context.event.at)
    if started is not None:
        started_at = times.time(started.began_at)
        return blocks.message(f"A job has been running on {machine(rental)} since {started_at}.", closed=False)
    lease, until_done = rental.running_lease, rental.running_lease.until_done
    since = lease.ready_at if until_done is None else max(lease.ready_at, until_done.since)
    waited = about_span(context.event.at - since)
    when = f"the {waited} since it was ready" if since == lease.ready_at else f"the last {waited}"
    rate = f", at {per_hour(facts.rate)}," if facts.rate is not None else ""
    # Only a job of root can end the machine. The message also lists the jobs of other users, so say which kind of
    # job is missing.
    job = "job of root" if rental.jobs is not None and rental.jobs.jobs else "job"
    text = (
        f"No {job} has started on {machine(rental)} in {when}. "
        f"It keeps running{rate} until {times.time(lease.ends_at, context.event.at)}."
    )
    return blocks.with_buttons(text, destroy_button(rental), _keep_until_then(rental, times.now))


def _keep_until_then(rental: Rental, now: datetime) -> Json:
    left = max(rental.running_lease.ends_at - now, timedelta(minutes=1))
    value = SpanValue(rental_id=rental.id, span=timedelta(seconds=left // timedelta(seconds=1)))
    return button("Keep it until then", Action.KEEP_FOR, value)
