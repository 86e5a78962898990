"""Deletes the machines of a rental, and continues until the vendor has confirmed every deletion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import MarketAway
from bot.lifecycle.account.reconcile import look_up
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import ACKNOWLEDGED_SILENCE, ALARM_AFTER
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.model.attempt import REPORTED_FAILED, Attempt, Marker, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import DeletionFacts
from bot.model.rental import Alarm
from bot.model.state import State
from bot.policy.team.rules import Rules

ALARM_AGAIN = timedelta(minutes=30)
LOOKED_UP_AFTER = timedelta(seconds=10)
"""The time after which an attempt is first looked up if the answer to its procure call was `failed`.

An earlier lookup would prove nothing, and would delay the next purchase.
"""
DELETE_AGAIN = timedelta(minutes=2)
"""The time after which a resource is deleted again although its deletion was accepted.

A resource with the status `deleting` isn't deleted again.
"""


def being_deleted(snapshot: RentalSnapshot) -> tuple[Attempt, ...]:
    """Return the attempts whose machines are being deleted, but whose deletion isn't confirmed yet."""
    all_of_them = snapshot.rental.state is State.DESTROYING or snapshot.rental.state.over
    return tuple(a for a in snapshot.attempts if not a.closed and (all_of_them or a.marked_for_deletion))


async def continue_deletions(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Try to delete the resources of every attempt that is being deleted, and alert people if this takes too long.

    A deletion that gets no answer is repeated at the next call. The calls go on until every resource is confirmed
    as terminated.
    """
    for attempt in being_deleted(snapshot):
        if snapshot.resources_of(attempt) or not _just_failed(attempt, deps.clock.now()):
            snapshot = await _delete_attempt(deps, snapshot, attempt)
    snapshot = await _report_orphans(deps, snapshot)
    return _update_alarm(snapshot, deps.clock.now(), deps.rules)


def _just_failed(attempt: Attempt, now: datetime) -> bool:
    answered_at = attempt.answered_at
    return attempt.unresolved and answered_at is not None and now - answered_at < LOOKED_UP_AFTER


async def _report_orphans(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Add an event for each new machine of an orphaned attempt, and an event once all of them are terminated.

    The stored events show which machines have been reported.
    """
    orphaned = [attempt for attempt in snapshot.attempts if attempt.orphaned and snapshot.resources_of(attempt)]
    if not orphaned:
        return snapshot
    async with deps.store.read() as tx:
        events = await tx.events.of(snapshot.rental.id)
    now = deps.clock.now()
    for attempt in orphaned:
        resources = snapshot.resources_of(attempt)
        ever, current = _reported(attempt, resources, events)
        for resource in resources:
            # These events report machines that belong to no rental. If the rental used the machine of this
            # purchase, a terminated machine was the rental's own, so don't report it.
            new = resource.resource_id not in (current if resource.terminated_at is None else ever)
            if new and (resource.terminated_at is None or not attempt.accepted):
                current.add(resource.resource_id)
                facts = DeletionFacts(
                    resource_id=resource.resource_id, vendor=attempt.vendor, rate=resource.rate, why=attempt.why
                )
                snapshot = snapshot.with_event(EventKind.ORPHANED_RESOURCE, now, facts)
        if attempt.closed and current:
            failed = attempt.why in REPORTED_FAILED
            bill = snapshot.spent_on(attempt, now) if failed else snapshot.spent(now)
            terminated = DeletionFacts(
                amount=bill.amount, estimated=bill.estimated, vendor=attempt.vendor, why=attempt.why
            )
            snapshot = snapshot.with_event(EventKind.ORPHAN_TERMINATED, now, terminated)
    return snapshot


def _reported(
    attempt: Attempt, resources: Sequence[Resource], events: Iterable[Event]
) -> tuple[set[str], set[str]]:
    """Return the IDs of the attempt's resources that have been reported as orphaned.

    Returns:
        The IDs of all reported resources, and the IDs of those whose termination hasn't been reported yet.
    """
    ids = {resource.resource_id for resource in resources}
    ever, current = set[str](), set[str]()
    for event in events:
        if not isinstance(event.facts, DeletionFacts):
            continue
        if event.kind is EventKind.ORPHANED_RESOURCE and event.facts.resource_id in ids:
            ever.add(event.facts.resource_id)
            current.add(event.facts.resource_id)
        elif event.kind is EventKind.ORPHAN_TERMINATED and event.facts.vendor == attempt.vendor:
            current.clear()
    return ever, current


async def _delete_attempt(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> RentalSnapshot:
    snapshot = snapshot.with_facts(changed(attempt, marked_by=attempt.marked_by or Marker.STEP))
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
    if not deps.claim_lasts():
        return snapshot
    try:
        accepted = await deps.market.delete(resource.resource_id)
    except MarketAway as away:
        return _note_answer(snapshot, attempt, away.words, (resource,))
    if not accepted:
        return _note_answer(snapshot, attempt, "not found", (resource,))
    accepted_now = changed(resource, delete_accepted_at=deps.clock.now(), last_answer="")
    return snapshot.with_facts(snapshot.attempt(attempt.n), (accepted_now,))


def _note_answer(
    snapshot: RentalSnapshot, attempt: Attempt, message: str, resources: tuple[Resource, ...]
) -> RentalSnapshot:
    """Store the market's last answer about these resources. The alarm shows this answer to people."""
    noted = tuple(changed(resource, last_answer=message) for resource in resources)
    return snapshot.with_facts(snapshot.attempt(attempt.n), noted)


def _alarm_from(snapshot: RentalSnapshot, attempt: Attempt, rules: Rules) -> datetime:
    """Return the earliest time at which people can be notified that a deletion isn't confirmed."""
    seen = [resource.first_seen for resource in snapshot.resources_of(attempt)]
    if not seen:
        # No machine of this purchase has been found yet. If the next lookup finds none either, there is nothing to
        # delete. Don't raise an alarm before that lookup, even if the bot was down for a long time.
        looked_up = attempt.empty_since or attempt.intended_at
        return max(attempt.intended_at + rules.procure.provision_timeout, looked_up + ALARM_AFTER)
    return min(seen) + ALARM_AFTER if attempt.orphaned else attempt.intended_at


def _update_alarm(snapshot: RentalSnapshot, now: datetime, rules: Rules) -> RentalSnapshot:
    rental, waiting = snapshot.rental, being_deleted(snapshot)
    alarm = rental.alarm
    if not waiting:
        return snapshot if alarm is None else snapshot.altered(alarm=None)
    if alarm is None:
        return snapshot.altered(alarm=Alarm(at=now + ALARM_AFTER))
    if now < alarm.at or all(_alarm_from(snapshot, attempt, rules) > now for attempt in waiting):
        return snapshot
    alive = [resource for attempt in waiting for resource in snapshot.alive_of(attempt)]
    first = waiting[0]
    facts = DeletionFacts(
        resource_id=alive[0].resource_id if alive else None,
        more_resources=tuple(resource.resource_id for resource in alive[1:]),
        rate=sum((r.rate or first.rate for r in alive), start=Decimal(0)) if alive else first.rate,
        detail=next((r.last_answer for r in alive if r.last_answer), None),
        vendor=first.vendor,
        why=first.why if all(attempt.orphaned for attempt in waiting) else None,
        since=rental.ending.since if rental.ending else None,
    )
    next_at = now + (ACKNOWLEDGED_SILENCE if alarm.acknowledged_by else ALARM_AGAIN)
    snapshot = snapshot.altered(alarm=changed(alarm, at=next_at, count=alarm.count + 1))
    return snapshot.with_event(EventKind.NOT_CONFIRMED, now, facts)


def next_round(snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    """Return the time at which the next deletions are due. None if nothing is being deleted."""
    if not being_deleted(snapshot):
        return None
    alarm = snapshot.rental.alarm
    return soonest(poll_at(now), alarm.at if alarm and alarm.at > now else None)
