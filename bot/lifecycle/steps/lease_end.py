"""The end of a ready machine's lease: its owner is notified of it, and then it is destroyed."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.lease_changes import check_notices, drop_extension
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.transitions import finish
from bot.model.attempt import Why
from bot.model.event import EventKind, Facts
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.leases import may_end, overdue_at
from bot.policy.notices import next_notice, skips_notice

SETS_END = frozenset({EventKind.EXTENDED, EventKind.EXTENSION_APPROVED})
"""An owner who caused one of these events knows the new end."""


async def notify_of_end(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Give the notice of the end that is due, if one is."""
    lease = snapshot.rental.running_lease
    notice = next_notice(lease, deps.rules)
    if lease.ends_at <= now or notice is None or notice > now:
        return snapshot
    snapshot = snapshot.with_rental(check_notices(snapshot.rental, now))
    notified, _ = await _notified_of_end(deps, snapshot.rental, lease.ends_at)
    if skips_notice(snapshot.rental.running_lease, max(notified, default=None), now, deps.rules):
        return snapshot
    await deps.directory.refresh(snapshot.rental.teammates)
    return snapshot.with_event(EventKind.ENDING, now, _ending_facts(snapshot, lease.ends_at, now))


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
    """End the lease if its end has come and its owner could know of it."""
    rental, ends_at = snapshot.rental, snapshot.rental.running_lease.ends_at
    if ends_at > now:
        return snapshot
    if rental.extension is not None:
        facts = Facts(until=ends_at, hours=rental.extension.envelope.lease)
        snapshot = snapshot.with_rental(drop_extension(rental, now))
        snapshot = snapshot.with_event(EventKind.EXTENSION_EXPIRED, now, facts)
    notified, tried = await _notified_of_end(deps, rental, ends_at)
    ends = may_end(ends_at, min(notified, default=None), min(tried, default=None), deps.rules)
    if ends is None:
        # Its owner could not know of this end yet: notify them, and wait one grace.
        until = now + deps.rules.lease.grace
        return snapshot.with_event(EventKind.ENDING, now, _ending_facts(snapshot, until, now))
    return snapshot if now < ends else begin_end(snapshot, now)


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


async def _notified_of_end(
    deps: StepDeps, rental: Rental, ends_at: datetime
) -> tuple[list[datetime], list[datetime]]:
    """Return when the owner learned of this end, and when the bot tried to notify them of it after it had come.

    They learn of it when Slack takes a direct message that states it, or by setting it themselves.
    """
    async with deps.store.read() as tx:
        events = await tx.events.of(rental.id)
        direct = await tx.messages.direct_of(rental.id)
    stating = {event.id: event for event in events if event.facts.until == ends_at}
    notified = [
        message.posted_at
        for message in direct
        if message.event_id in stating and message.posted_at is not None and message.to.value == rental.owner
    ]
    notified += [e.at for e in stating.values() if e.kind in SETS_END and e.actor == rental.owner]
    tried = [event.at for event in events if event.kind is EventKind.ENDING and event.at >= ends_at]
    return notified, tried
