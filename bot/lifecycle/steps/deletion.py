"""Deletes the resources of attempts until the vendor confirms that they are gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import MarketAway
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.service.ending import TAKEN_ON_SILENCE
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.lifecycle.steps.reconcile import look_up
from bot.lifecycle.transitions import clear_alarm, raise_alarm, set_alarm
from bot.model.attempt import Attempt, Resource, Why
from bot.model.base import changed
from bot.model.event import EventKind, Facts
from bot.model.state import State

ALARM_AGAIN = timedelta(minutes=30)
DELETE_AGAIN = timedelta(minutes=2)
"""A resource that is not in status `deleting` this long after an accepted deletion is deleted again."""


def being_deleted(snapshot: RentalSnapshot) -> tuple[Attempt, ...]:
    """Return the attempts whose resources are to be deleted and are not confirmed gone."""
    all_of_them = snapshot.rental.state is State.DESTROYING or snapshot.rental.state.over
    return tuple(a for a in snapshot.attempts if not a.settled and (all_of_them or a.marked_for_deletion))


def marked_as_overdue(attempt: Attempt) -> bool:
    """Return whether the overdue deletion marked an attempt before it was ready. A step that marks one also sets
    `why`."""
    return attempt.marked_for_deletion and not attempt.reopened and attempt.why in {None, Why.NO_ANSWER}


async def continue_deletions(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Do one round of deletion for every attempt that needs it. Notify people if it takes too long.

    A call without an answer is made again in the next round. There is no last round.
    """
    for attempt in being_deleted(snapshot):
        snapshot = await _delete_attempt(deps, snapshot, attempt)
        if attempt.reopened and snapshot.attempt(attempt.n).settled:
            bill = snapshot.spent(deps.clock.now())
            facts = Facts(amount=bill.amount, estimated=bill.estimated, vendor=attempt.vendor)
            snapshot = snapshot.with_event(EventKind.EXTRA_GONE, deps.clock.now(), facts)
    return _update_alarm(snapshot, deps.clock.now())


async def _delete_attempt(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> RentalSnapshot:
    snapshot = snapshot.with_facts(changed(attempt, marked_for_deletion=True))
    try:
        snapshot, _ = await look_up(deps, snapshot, snapshot.attempt(attempt.n))
    except MarketAway as away:
        snapshot = _note_answer(snapshot, attempt, away.words, snapshot.alive_of(attempt))
    now = deps.clock.now()
    for resource in snapshot.alive_of(attempt):
        if _should_delete(resource, now):
            snapshot = await _delete(deps, snapshot, attempt, resource)
    attempt = snapshot.attempt(attempt.n)
    alive = snapshot.alive_of(attempt)
    if attempt.delete_accepted_at is None and alive and all(r.delete_accepted_at for r in alive):
        snapshot = snapshot.with_facts(changed(attempt, delete_accepted_at=now))
    return snapshot


def _should_delete(resource: Resource, now: datetime) -> bool:
    if resource.delete_accepted_at is None:
        return True
    return resource.status != "deleting" and now - resource.delete_accepted_at >= DELETE_AGAIN


async def _delete(
    deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt, resource: Resource
) -> RentalSnapshot:
    try:
        accepted = await deps.market.delete(resource.resource_id)
    except MarketAway as away:
        return _note_answer(snapshot, attempt, away.words, (resource,))
    if not accepted:
        return _note_answer(snapshot, attempt, "not found", (resource,))
    accepted_now = changed(resource, delete_accepted_at=deps.clock.now(), last_answer="")
    return snapshot.with_facts(snapshot.attempt(attempt.n), (accepted_now,))


def _note_answer(
    snapshot: RentalSnapshot, attempt: Attempt, words: str, resources: tuple[Resource, ...]
) -> RentalSnapshot:
    """Return the snapshot with the market's last answer about these resources. The alarm shows it."""
    noted = tuple(changed(resource, last_answer=words) for resource in resources)
    return snapshot.with_facts(snapshot.attempt(attempt.n), noted)


def _update_alarm(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    rental, waiting = snapshot.rental, being_deleted(snapshot)
    alarm = rental.alarm
    if not waiting:
        return snapshot if alarm is None else snapshot.with_rental(clear_alarm(rental))
    if alarm is None:
        return snapshot.with_rental(set_alarm(rental, now))
    if now < alarm.at:
        return snapshot
    alive = [resource for attempt in waiting for resource in snapshot.alive_of(attempt)]
    first = waiting[0]
    facts = Facts(
        resource_id=alive[0].resource_id if alive else None,
        more_resources=tuple(resource.resource_id for resource in alive[1:]),
        rate=sum((r.rate or first.rate for r in alive), start=Decimal(0)) if alive else first.rate,
        detail=next((r.last_answer for r in alive if r.last_answer), None),
        vendor=first.vendor,
        since=rental.ending.since if rental.ending else None,
    )
    next_at = now + (TAKEN_ON_SILENCE if alarm.taken_on_by else ALARM_AGAIN)
    snapshot = snapshot.with_event(EventKind.NOT_CONFIRMED, now, facts)
    return snapshot.with_rental(raise_alarm(rental, alarm, next_at))


def next_round(snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    """Return when the next round of deletions is due. Return None if nothing is being deleted."""
    if not being_deleted(snapshot):
        return None
    alarm = snapshot.rental.alarm
    return soonest(poll_at(now), alarm.at if alarm else None)
