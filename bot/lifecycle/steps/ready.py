"""A ready machine: whether it is still there, whether it is still needed, and when its lease ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.billing import hourly, ledger_span
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.lease_changes import check_notices, drop_extension, plan_question
from bot.lifecycle.ports.outside import OfferProgress, ResourceView
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import JITTER, poll_at, soonest
from bot.lifecycle.steps.reconcile import with_answer
from bot.lifecycle.transitions import change_rate, finish, known_bill, note_host_key
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Question, Rental
from bot.model.state import State
from bot.policy.leases import ask_at, may_end, overdue_at
from bot.policy.notices import last_notice_is_past, may_ask_at, next_notice, skips_notice

CHECK_EVERY = timedelta(minutes=3)
CHECK_AGAIN = timedelta(seconds=30)
"""A step that runs for another reason checks the machine too, if the last check is older."""
HOST_KEY_WITHIN = timedelta(minutes=15)
"""How long after ready a host key that could not be read is read again, at each check."""
SETS_END = frozenset({EventKind.EXTENDED, EventKind.EXTENSION_APPROVED})
"""An owner who caused one of these events knows the new end."""


async def run(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Do everything that can be due for a ready machine."""
    if _ended_as_overdue(deps, snapshot):
        return _begin_end(snapshot, deps.clock.now())
    snapshot = await _check(deps, snapshot)
    now = deps.clock.now()
    if snapshot.rental.state is State.READY:
        snapshot = await _notify_of_end(deps, snapshot, now)
        snapshot = _ask(deps, snapshot, now)
        snapshot = await _end(deps, snapshot, now)
    if snapshot.rental.state is not State.READY:
        return snapshot
    snapshot = await _read_host_key(deps, snapshot, now)
    return snapshot.with_due(_next_due(deps, snapshot, now))


def _next_due(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    lease = snapshot.rental.running_lease
    alive = [r for r in snapshot.resources if r.gone_at is None]
    missing = not alive or any(r.missing_since for r in alive)
    check = (
        poll_at(now) if missing else max(min(r.read_at for r in alive) + CHECK_EVERY, now + CHECK_AGAIN) + JITTER
    )
    if lease.ends_at <= now:
        # In its last grace: there is no further question or notice.
        return soonest(check, poll_at(now))
    return soonest(check, lease.question.at, lease.ends_at, next_notice(lease, deps.rules))


# --- is it there


async def _check(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None:
        return _lost(snapshot, now)
    alive = snapshot.alive_of(attempt)
    if any(now - r.read_at < CHECK_AGAIN and r.missing_since is None for r in alive):
        return snapshot
    views: dict[str, ResourceView | None] = {}
    try:
        for resource in alive:
            view = await deps.market.resource(resource.resource_id)
            if view is None or view.deleted:
                # The market's cache may be stale. Only the vendor's own answer ends a rental.
                view = await deps.market.resource(resource.resource_id, fresh=True)
            views[resource.resource_id] = view
        missing = any(view is None for view in views.values())
        progress = await deps.market.progress(attempt.offer.offer_id) if missing else OfferProgress()
    except MarketAway:
        return snapshot
    snapshot = with_answer(snapshot, attempt, views, progress, now) if views else snapshot
    if snapshot.live is None:
        return _begin_end(snapshot, now) if _ended_as_overdue(deps, snapshot) else _lost(snapshot, now)
    rate = hourly(snapshot.resources_of(attempt), attempt)
    return snapshot if rate == snapshot.rental.rate else snapshot.with_rental(change_rate(snapshot.rental, rate))


def _lost(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """End the rental: the vendor took every resource."""
    rental, bill = snapshot.rental, snapshot.spent(now)
    facts = Facts(
        end=State.LOST,
        why=Why.VENDOR_TOOK_IT,
        **known_bill(bill, snapshot.attempts),
        rate=rental.rate,
        vendor=rental.vendor,
        span=ledger_span(snapshot.ledger) or now - rental.running_lease.ready_at,
    )
    # If an earlier attempt is still being deleted, the rental ends only once that one is gone.
    after, _ = finish(rental, State.LOST, attempts=snapshot.attempts, at=now, bill=bill, why=Why.VENDOR_TOOK_IT)
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.LOST, at=now, facts=facts))


async def _read_host_key(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Read the host key of a machine that gave none when it became ready. Do not if the step has an event: the key
    exchange would delay its notification. The next check reads the key then."""
    rental = snapshot.rental
    late = now - rental.running_lease.ready_at > HOST_KEY_WITHIN
    if rental.host_key is not None or rental.host is None or late or snapshot.events:
        return snapshot
    host_key = await deps.prober.host_key(rental.host, rental.port or 22)
    return snapshot if host_key is None else snapshot.with_rental(note_host_key(rental, host_key))


# --- is it needed


async def _notify_of_end(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
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


def _ask(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Ask whether it is still needed, or plan when to ask."""
    lease = snapshot.rental.running_lease
    question = lease.question
    if deps.rules.check_in.after is None or question.at is None:
        # The rules may have changed since the question was planned. A planned time that is past and never asked
        # would keep the rental due for ever.
        planned = ask_at(lease.seen_at, 0, deps.rules)
        return _plan(snapshot, changed(question, at=planned))
    if question.at > now or lease.ends_at <= now:
        return snapshot
    if not question.promised:
        if last_notice_is_past(lease, deps.rules):
            # The last notice of its end asks the same, so this would be a second ping.
            return _plan(snapshot, changed(question, at=lease.ends_at))
        quiet_until = ask_at(lease.seen_at, question.times, deps.rules)
        if quiet_until is not None and quiet_until > now:
            return _plan(snapshot, changed(question, at=quiet_until))
    ask_from = may_ask_at(lease, now, deps.rules)
    if ask_from > now:
        return _plan(snapshot, changed(question, at=ask_from))
    times = question.times + 1
    bill = snapshot.spent(now)
    facts = Facts(
        span=now - lease.seen_at, amount=bill.amount, estimated=bill.estimated, rate=snapshot.rental.rate
    )
    snapshot = _plan(snapshot, Question(at=ask_at(now, times, deps.rules), times=times))
    return snapshot.with_event(EventKind.STILL_NEEDED, now, facts)


def _plan(snapshot: RentalSnapshot, question: Question) -> RentalSnapshot:
    return snapshot.with_rental(plan_question(snapshot.rental, question))


# --- does it end


async def _end(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
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
    return snapshot if now < ends else _begin_end(snapshot, now)


def _begin_end(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    bill, why = snapshot.spent(now), Why.LEASE_ENDED
    after, events = finish(
        snapshot.rental, State.DESTROYED, attempts=snapshot.attempts, at=now, bill=bill, why=why
    )
    return snapshot.with_rental(after, *events)


def _ended_as_overdue(deps: StepDeps, snapshot: RentalSnapshot) -> bool:
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
