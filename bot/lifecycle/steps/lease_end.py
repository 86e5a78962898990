"""The end of a ready machine's lease: its owner is notified of it, and then it is destroyed.

The first of two ends moves on instead if the machine is in use when it comes (bot/policy/two_ends.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.lifecycle.deps import StepDeps, may_compare
from bot.lifecycle.lease_changes import check_notices, drop_extension, move_end
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.seeing import last_visits
from bot.lifecycle.transitions import finish
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind, Facts, OpenQuestion
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.use import Sample, Use, Verdict
from bot.policy.leases import may_end, overdue_at
from bot.policy.notices import next_notice, skips_notice, usual_notice_is_due
from bot.policy.probing import has_probe, runs_scripts
from bot.policy.two_ends import are_recent, can_move, is_unseen, moved_end, seen_in_use
from bot.policy.verdicts import with_later_work


@dataclass(frozen=True)
class _Notified:
    """How far the owner was notified of one end of a lease."""

    at: tuple[datetime, ...]
    """When they learned of it: when Slack took a direct message that states it, or when they set it."""
    tried: tuple[datetime, ...]
    """When the bot tried to notify them after it had come."""
    uncertain: bool
    """Whether a message that states it was not compared with Slack since the start: if the database was put back
    from an older copy, Slack may state another end."""


async def notify_of_end(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Give the notice of the end that is due, if one is. Give none if the machine is in use and its end can still
    move. Give that for machines that nobody sees into only for those."""
    lease = snapshot.rental.running_lease
    notice = next_notice(lease, deps.rules)
    if lease.ends_at <= now or notice is None or notice > now:
        return snapshot
    snapshot = snapshot.with_rental(check_notices(snapshot.rental, now))
    unseen = False
    if can_move(lease):
        use, visits = await _use(deps, snapshot, now)
        unseen = is_unseen(use, visits, now)
        if seen_in_use(use, visits, now) or not (unseen or usual_notice_is_due(lease, now, deps.rules)):
            return snapshot
    notified = await _notified_of_end(deps, snapshot.rental, lease.ends_at)
    if skips_notice(snapshot.rental.running_lease, max(notified.at, default=None), now, deps.rules):
        return snapshot
    await deps.directory.refresh(snapshot.rental.teammates)
    facts = _ending_facts(snapshot, lease.ends_at, now)
    if unseen:
        facts = changed(
            facts, verdict=Verdict.UNKNOWN, vendor=await _vendor_without_scripts(deps, snapshot.rental)
        )
    return snapshot.with_event(EventKind.ENDING, now, facts)


async def _use(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> tuple[Use | None, Sequence[Sample]]:
    """Return the verdict about a machine, and its last visits. Return neither if it has no probe by design."""
    rental = snapshot.rental
    if not has_probe(rental, snapshot.live, deps.rules):
        return None, ()
    visits = await last_visits(deps, rental, now)
    if rental.use is None:
        return None, visits
    ready_at = rental.running_lease.ready_at
    return with_later_work(rental.use, visits, ready_at=ready_at, now=now, rules=deps.rules), visits


async def _vendor_without_scripts(deps: StepDeps, rental: Rental) -> str | None:
    """Return the vendor if the bot sees into none of its machines, because they don't run the boot script."""
    vendors = [rental.vendor] if rental.vendor is not None and rental.probe_answered_at is None else []
    async with deps.store.read() as tx:
        answers = await tx.probe_answers.of_vendors(vendors)
    return next((vendor for vendor in vendors if not runs_scripts(answers.get(vendor))), None)


def _ending_facts(snapshot: RentalSnapshot, until: datetime, now: datetime) -> Facts:
    bill = snapshot.spent(now)
    minutes = -((now - until) // timedelta(minutes=1))
    return Facts(
        until=until,
        span=timedelta(minutes=minutes),
        rate=snapshot.rental.rate,
        amount=bill.amount,
        estimated=bill.estimated,
    )


async def end_lease(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """End the lease if its end has come and its owner could know of it. Move the end on instead if the machine is
    in use."""
    rental, ends_at = snapshot.rental, snapshot.rental.running_lease.ends_at
    if ends_at > now:
        return snapshot
    until, first_visit_decides = moved_end(rental.running_lease, now), False
    if until is not None:
        use, visits = await _use(deps, snapshot, now)
        if seen_in_use(use, visits, now):
            return _moved_on(snapshot, until, use, now)
        first_visit_decides = not (is_unseen(use, visits, now) or are_recent(visits, now))
    notified = await _notified_of_end(deps, rental, ends_at)
    if notified.uncertain and may_compare(deps):
        return snapshot
    if rental.extension is not None and not first_visit_decides:
        facts = Facts(until=ends_at, hours=rental.extension.envelope.lease)
        snapshot = snapshot.with_rental(drop_extension(rental, now))
        snapshot = snapshot.with_event(EventKind.EXTENSION_EXPIRED, now, facts)
    # If the bot was down, an earlier notice said that it goes on if it is in use, which it may be by now.
    known_at = () if first_visit_decides or notified.uncertain else notified.at
    ends = may_end(ends_at, min(known_at, default=None), min(notified.tried, default=None), deps.rules)
    if ends is None:
        # Its owner could not know of this end yet: notify them, and wait one grace.
        until = now + deps.rules.lease.grace
        return snapshot.with_event(EventKind.ENDING, now, _ending_facts(snapshot, until, now))
    return snapshot if now < ends else begin_end(snapshot, now)


def _moved_on(snapshot: RentalSnapshot, until: datetime, use: Use | None, now: datetime) -> RentalSnapshot:
    rental = snapshot.rental
    facts = Facts(until=until, since=rental.running_lease.ends_at, verdict=Verdict.IN_USE, use=use)
    return snapshot.with_rental(move_end(rental, until)).with_event(EventKind.END_MOVED, now, facts)


def begin_end(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Begin to destroy a machine whose lease ended."""
    bill, why = snapshot.spent(now), Why.LEASE_ENDED
    after, events = finish(
        snapshot.rental, State.DESTROYED, attempts=snapshot.attempts, at=now, bill=bill, why=why
    )
    return snapshot.with_rental(after, *events)


def ended_as_overdue(deps: StepDeps, snapshot: RentalSnapshot) -> bool:
    """Return whether the overdue deletion is due and the machine is gone or marked for deletion. If so, its lease
    ended it, not the vendor."""
    overdue = overdue_at(snapshot.rental.running_lease.ends_at, None, deps.rules)
    ended = snapshot.live is None or snapshot.live.marked_for_deletion
    return ended and overdue is not None and overdue <= deps.clock.now()


async def _notified_of_end(deps: StepDeps, rental: Rental, ends_at: datetime) -> _Notified:
    """Return how far the owner was notified of this end.

    The ready message doesn't tell them that an end which can move stands. After the database was put back from an
    older copy, only what they were told since then counts.
    """
    moves = can_move(rental.running_lease)
    async with deps.store.read() as tx:
        events = await tx.events.of(rental.id)
        direct = await tx.messages.direct_of(rental.id)
    put_back = max((event.id for event in events if event.kind is EventKind.PUT_BACK), default=0)
    events = [event for event in events if event.id >= put_back]
    same_end = [event for event in events if event.facts.until == ends_at]
    stating = {event.id: event for event in same_end if not (moves and event.kind is EventKind.READY)}
    told = [message for message in direct if message.event_id in stating and message.to.value == rental.owner]
    set_by_owner = [e.at for e in stating.values() if e.effects.lengthens and e.actor == rental.owner]
    late = [e.at for e in events if e.effects.asks is OpenQuestion.END and e.at >= ends_at]
    return _Notified(
        at=(*(message.posted_at for message in told if message.posted_at is not None), *set_by_owner),
        tried=tuple(late),
        uncertain=any(message.compare_with is not None for message in told),
    )
