"""Checks of a simulation. Each check yields a line for each problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from bot.model.event import Event, EventKind
from bot.model.facts import KeptFacts, QuestionFacts
from bot.model.machine_use import NOT_COMPUTING
from bot.policy.team.hours import is_within
from bot.policy.team.rules import Rules
from bot.policy.use.questions import GAP, idle_period_of
from soak.use.record import Life, Record

STEP = timedelta(minutes=5)
"""The length of a step of the clock. Everything may happen up to one step late."""
DELETED_WITHIN = timedelta(minutes=30)
"""The longest time that a deletion may take. Vendors take some minutes to delete a machine."""
NOTIFIED_WITHIN = timedelta(minutes=10)
ANSWERS = frozenset(
    {
        EventKind.KEPT,
        EventKind.EXTENDED,
        EventKind.EXTENSION_ASKED,
        EventKind.LEFT_ALONE,
        EventKind.OWNER_ASKED_AGAIN,
    }
)


def check(record: Record) -> list[str]:
    """Return a line for each problem."""
    found = [f"{finding}" for name in CHECKS for finding in CHECKS[name](record)]
    return [*found, *([f"{record.left_alive} machines bill after every lease"] if record.left_alive else [])]


def outlives_its_lease(record: Record) -> Iterator[str]:
    """Check that no machine outlives its lease by more than one grace period."""
    for life in record.lives:
        began = [event.at for event in life.events if event.kind is EventKind.DESTROYING]
        ends_at, over_at = life.rental.running_lease.ends_at, life.rental.over_at
        latest = ends_at + record.rules.lease.grace + STEP
        if over_at is None or max(began, default=over_at) > latest or over_at > latest + DELETED_WITHIN:
            yield f"{life.rental.id} ended {over_at}, its lease {ends_at}"


def destroyed_by_itself(record: Record) -> Iterator[str]:
    """Check that each machine was destroyed by a person or by the end of its lease, and never for being idle."""
    for life in record.lives:
        for event in life.events:
            ended = event.at >= life.rental.running_lease.ends_at
            if event.kind is EventKind.DESTROYING and event.actor is None and not ended:
                yield f"{life.rental.id} was destroyed at {event.at} by nobody"


def ended_at_work(record: Record) -> Iterator[str]:
    """Check that a machine that ended because its jobs were done didn't work after its last job."""
    for life in record.lives:
        done = [event.at for event in life.events if event.kind is EventKind.JOB_DONE]
        if not done or not life.rental.running_lease.ends_when_done:
            continue
        late = [moment for moment in life.computed if moment > done[-1] + STEP]
        if late or not any(moment <= done[-1] for moment in life.jobs_end):
            yield f"{life.rental.id} ended because its job was done at {done[-1]}, and it worked at {late}"


def asked_outside_hours(record: Record) -> Iterator[str]:
    """Check that people get questions only in their hours: the times at which they want to get questions.

    The first question about an idle period of an expensive machine is urgent, so it may come at any time.
    """
    for life in record.lives:
        rate, seen = life.rental.rate, set[datetime | None]()
        for event in _questions(life):
            first = _idle_period(event) not in seen
            seen.add(_idle_period(event))
            urgent = rate is not None and rate >= record.rules.idle.urgent_per_hour
            if not is_within(event.at, life.zone, record.rules.hours) and not (urgent and first):
                yield f"{life.rental.id} was asked about at {event.at} in {life.zone}"


def asked_twice(record: Record) -> Iterator[str]:
    """Check that questions about a machine aren't repeated too soon.

    They must be at least an hour apart. Unless somebody answered, a question about the same idle period must also
    wait for the times that the policy keys `again` and `check_in` set.
    """
    for life in record.lives:
        for before, event in pairwise(_questions(life)):
            apart = event.at - before.at
            if apart < GAP:
                yield f"{life.rental.id} was asked about twice, at {before.at} and {event.at}"
            answered = any(other.kind in ANSWERS and before.at <= other.at <= event.at for other in life.events)
            if (
                _idle_period(before) == _idle_period(event)
                and not answered
                and apart < _least_apart(event, record.rules)
            ):
                yield f"{life.rental.id} was asked about again after {apart}"


def asked_too_early(record: Record) -> Iterator[str]:
    """Check that owners get no question before the time that they chose with their last answer.

    For example, an owner who says that they need the machine until 18:00 gets no question before 18:00.
    """
    for life in record.lives:
        for kept in life.events:
            if not isinstance(kept.facts, KeptFacts):
                continue
            answers = [other.at for other in life.events if other.kind in ANSWERS and other.at > kept.at]
            until = min([kept.at + kept.facts.span, *answers])
            if any(kept.at < event.at < until for event in _questions(life)):
                yield f"{life.rental.id} was asked about before {until}"


def asked_while_in_use(record: Record) -> Iterator[str]:
    """Check that no question says that a machine is idle or connected while it computes."""
    for life in record.lives:
        for event in _questions(life):
            since = event.facts.since
            if event.facts.status not in NOT_COMPUTING or since is None:
                continue
            if any(since + STEP < moment < event.at - STEP for moment in life.computed):
                yield f"{life.rental.id} was asked about at {event.at}, and it computed since {since}"


def notified_late(record: Record) -> Iterator[str]:
    """Check that the admins are notified of an unmanaged machine within 10 minutes."""
    for machine in record.unmanaged:
        if machine.notified_at is None or machine.notified_at - machine.added_at > NOTIFIED_WITHIN:
            yield f"the admins were notified at {machine.notified_at} of the machine added at {machine.added_at}"


CHECKS: dict[str, Callable[[Record], Iterable[str]]] = {
    one.__name__: one
    for one in (
        outlives_its_lease,
        destroyed_by_itself,
        ended_at_work,
        asked_outside_hours,
        asked_twice,
        asked_too_early,
        asked_while_in_use,
        notified_late,
    )
}


def _questions(life: Life) -> list[Event[Any]]:
    return [event for event in life.events if event.kind is EventKind.STILL_NEEDED]


def _idle_period(event: Event[QuestionFacts]) -> datetime | None:
    """Return the start of the idle period that a question is about, or None if the machine can't be probed."""
    return idle_period_of(event.facts.use)


def _least_apart(event: Event[QuestionFacts], rules: Rules) -> timedelta:
    if event.facts.status in NOT_COMPUTING:
        return min(rules.idle.again, default=timedelta.max)
    return rules.check_in.after or timedelta.max
