"""Destroying attempts for certain: delete every resource, and look until the vendor confirms that it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.case import Case
from bot.lifecycle.desk import Works
from bot.lifecycle.service.ending import WHEN_TAKEN_ON
from bot.lifecycle.steps.lookup import look
from bot.lifecycle.steps.pace import poll_at, soonest
from bot.model.attempt import Attempt, Resource, Why
from bot.model.event import EventKind, Facts
from bot.model.state import State

ALARM_AFTER = timedelta(minutes=5)
ALARM_AGAIN = timedelta(minutes=30)
DELETE_AGAIN = timedelta(minutes=2)
"""An accepted deletion that shows nothing after this long is asked for again."""


def doomed(case: Case) -> tuple[Attempt, ...]:
    """The attempts that are to be gone and aren't yet."""
    all_of_them = case.rental.state is State.DESTROYING or case.rental.state.over
    return tuple(a for a in case.attempts if not a.settled and (all_of_them or a.delete_wanted))


def marked_as_overdue(attempt: Attempt) -> bool:
    """Whether the overdue deletion marked an attempt of a rental that is being made: a step gives its reason."""
    return attempt.delete_wanted and not attempt.late and attempt.why in {None, Why.NO_ANSWER}


async def tend(works: Works, case: Case) -> Case:
    """One round of deletion for every attempt that is to be gone, with the alarm where it takes too long.

    What has no answer is tried again later; nothing is given up.
    """
    for attempt in doomed(case):
        case = await _tend(works, case, attempt)
        if attempt.late and _same(case, attempt).settled:
            bill = case.spent(works.clock.now())
            facts = Facts(amount=bill.amount, estimated=bill.estimated, vendor=attempt.offer.vendor)
            case = case.tell(EventKind.EXTRA_GONE, works.clock.now(), facts)
    return _alarm(case, works.clock.now())


async def _tend(works: Works, case: Case, attempt: Attempt) -> Case:
    case = case.with_facts(attempt.model_copy(update={"delete_wanted": True}))
    try:
        case, _ = await look(works, case, _same(case, attempt))
    except MarketAway as away:
        case = _note(case, attempt, away.words)
    now = works.clock.now()
    for resource in case.resources_of(attempt):
        if resource.gone_at is None and _ask_to_delete(resource, now):
            case = await _delete(works, case, attempt, resource)
    attempt = _same(case, attempt)
    alive = [r for r in case.resources_of(attempt) if r.gone_at is None]
    if attempt.delete_accepted_at is None and alive and all(r.delete_accepted_at for r in alive):
        case = case.with_facts(attempt.model_copy(update={"delete_accepted_at": now}))
    return case


def _same(case: Case, attempt: Attempt) -> Attempt:
    return next(a for a in case.attempts if a.n == attempt.n)


def _ask_to_delete(resource: Resource, now: datetime) -> bool:
    if resource.delete_accepted_at is None:
        return True
    return resource.status != "deleting" and now - resource.delete_accepted_at >= DELETE_AGAIN


async def _delete(works: Works, case: Case, attempt: Attempt, resource: Resource) -> Case:
    try:
        accepted = await works.market.delete(resource.resource_id)
    except MarketAway as away:
        return _note(case, attempt, away.words, resource)
    if not accepted:
        return _note(case, attempt, "not found", resource)
    done = resource.model_copy(update={"delete_accepted_at": works.clock.now(), "last_answer": ""})
    return case.with_facts(_same(case, attempt), (done,))


def _note(case: Case, attempt: Attempt, words: str, resource: Resource | None = None) -> Case:
    """The last answer, for the alarm."""
    of = (resource,) if resource else tuple(r for r in case.resources_of(attempt) if r.gone_at is None)
    noted = tuple(r.model_copy(update={"last_answer": words}) for r in of)
    return case.with_facts(_same(case, attempt), noted)


def _alarm(case: Case, now: datetime) -> Case:
    rental, waiting = case.rental, doomed(case)
    if not waiting:
        if rental.alarm_at is None:
            return case
        return replace(case, rental=rental.model_copy(update={"alarm_at": None, "alarms": 0, "taken_on_by": None}))
    if rental.alarm_at is None:
        return replace(case, rental=rental.model_copy(update={"alarm_at": now + ALARM_AFTER}))
    if now < rental.alarm_at:
        return case
    again = WHEN_TAKEN_ON if rental.taken_on_by else ALARM_AGAIN
    alive = [r for attempt in waiting for r in case.resources_of(attempt) if r.gone_at is None]
    facts = Facts(
        resource_id=alive[0].resource_id if alive else None,
        rate=sum((r.rate or waiting[0].offer.rate for r in alive), start=waiting[0].offer.rate * 0)
        if alive
        else waiting[0].offer.rate,
        detail=next((r.last_answer for r in alive if r.last_answer), None),
        vendor=waiting[0].offer.vendor,
        since=rental.destroying_since,
    )
    case = case.tell(EventKind.NOT_CONFIRMED, now, facts)
    return replace(case, rental=rental.model_copy(update={"alarm_at": now + again, "alarms": rental.alarms + 1}))


def next_look(case: Case, now: datetime) -> datetime | None:
    """When deletions want the next round; None when all are done."""
    if not doomed(case):
        return None
    return soonest(poll_at(now), case.rental.alarm_at)
