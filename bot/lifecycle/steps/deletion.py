"""Destroying attempts for certain: delete every resource, and look until the vendor confirms that it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.service.ending import TAKEN_ON_SILENCE
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.lifecycle.steps.reconcile import look
from bot.lifecycle.transitions import ALARM_AFTER
from bot.model.attempt import Attempt, Resource, Why
from bot.model.base import changed
from bot.model.event import EventKind, Facts
from bot.model.rental import Alarm
from bot.model.state import State

ALARM_AGAIN = timedelta(minutes=30)
DELETE_AGAIN = timedelta(minutes=2)
"""An accepted deletion that shows nothing after this long is asked for again."""


def doomed(snapshot: RentalSnapshot) -> tuple[Attempt, ...]:
    """The attempts that are to be gone and aren't yet."""
    all_of_them = snapshot.rental.state is State.DESTROYING or snapshot.rental.state.over
    return tuple(a for a in snapshot.attempts if not a.settled and (all_of_them or a.marked_for_deletion))


def marked_as_overdue(attempt: Attempt) -> bool:
    """Whether the overdue deletion marked an attempt of a rental that is being made: a step gives its reason."""
    return attempt.marked_for_deletion and not attempt.reopened and attempt.why in {None, Why.NO_ANSWER}


async def tend(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """One round of deletion for every attempt that is to be gone, with the alarm where it takes too long.

    What has no answer is tried again later; nothing is given up.
    """
    for attempt in doomed(snapshot):
        snapshot = await _tend(deps, snapshot, attempt)
        if attempt.reopened and _same(snapshot, attempt).settled:
            bill = snapshot.spent(deps.clock.now())
            facts = Facts(amount=bill.amount, estimated=bill.estimated, vendor=attempt.offer.vendor)
            snapshot = snapshot.with_event(EventKind.EXTRA_GONE, deps.clock.now(), facts)
    return _alarm(snapshot, deps.clock.now())


async def _tend(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> RentalSnapshot:
    snapshot = snapshot.with_facts(changed(attempt, marked_for_deletion=True))
    try:
        snapshot, _ = await look(deps, snapshot, _same(snapshot, attempt))
    except MarketAway as away:
        snapshot = _note(snapshot, attempt, away.words)
    now = deps.clock.now()
    for resource in snapshot.resources_of(attempt):
        if resource.gone_at is None and _ask_to_delete(resource, now):
            snapshot = await _delete(deps, snapshot, attempt, resource)
    attempt = _same(snapshot, attempt)
    alive = [r for r in snapshot.resources_of(attempt) if r.gone_at is None]
    if attempt.delete_accepted_at is None and alive and all(r.delete_accepted_at for r in alive):
        snapshot = snapshot.with_facts(changed(attempt, delete_accepted_at=now))
    return snapshot


def _same(snapshot: RentalSnapshot, attempt: Attempt) -> Attempt:
    return next(a for a in snapshot.attempts if a.n == attempt.n)


def _ask_to_delete(resource: Resource, now: datetime) -> bool:
    if resource.delete_accepted_at is None:
        return True
    return resource.status != "deleting" and now - resource.delete_accepted_at >= DELETE_AGAIN


async def _delete(
    deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt, resource: Resource
) -> RentalSnapshot:
    try:
        accepted = await deps.market.delete(resource.resource_id)
    except MarketAway as away:
        return _note(snapshot, attempt, away.words, resource)
    if not accepted:
        return _note(snapshot, attempt, "not found", resource)
    done = changed(resource, delete_accepted_at=deps.clock.now(), last_answer="")
    return snapshot.with_facts(_same(snapshot, attempt), (done,))


def _note(
    snapshot: RentalSnapshot, attempt: Attempt, words: str, resource: Resource | None = None
) -> RentalSnapshot:
    """The last answer, for the alarm."""
    of = (resource,) if resource else tuple(r for r in snapshot.resources_of(attempt) if r.gone_at is None)
    noted = tuple(changed(r, last_answer=words) for r in of)
    return snapshot.with_facts(_same(snapshot, attempt), noted)


def _alarm(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    rental, alarm, waiting = snapshot.rental, snapshot.rental.alarm, doomed(snapshot)
    if not waiting:
        return snapshot if alarm is None else replace(snapshot, rental=changed(rental, alarm=None))
    if alarm is None:
        return replace(snapshot, rental=changed(rental, alarm=Alarm(at=now + ALARM_AFTER)))
    if now < alarm.at:
        return snapshot
    again = TAKEN_ON_SILENCE if alarm.taken_on_by else ALARM_AGAIN
    alive = [r for attempt in waiting for r in snapshot.resources_of(attempt) if r.gone_at is None]
    facts = Facts(
        resource_id=alive[0].resource_id if alive else None,
        rate=sum((r.rate or waiting[0].offer.rate for r in alive), start=waiting[0].offer.rate * 0)
        if alive
        else waiting[0].offer.rate,
        detail=next((r.last_answer for r in alive if r.last_answer), None),
        vendor=waiting[0].offer.vendor,
        since=rental.ending.since if rental.ending else None,
    )
    snapshot = snapshot.with_event(EventKind.NOT_CONFIRMED, now, facts)
    raised = changed(alarm, at=now + again, count=alarm.count + 1)
    return replace(snapshot, rental=changed(rental, alarm=raised))


def next_look(snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    """When deletions want the next round; None when all are done."""
    if not doomed(snapshot):
        return None
    alarm = snapshot.rental.alarm
    return soonest(poll_at(now), alarm.at if alarm else None)
