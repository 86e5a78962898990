"""A ready machine: is it still there, is it still needed, does its lease end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.billing import hourly
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports import OfferProgress, ResourceView
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import JITTER, poll_at, soonest
from bot.lifecycle.steps.reconcile import read
from bot.lifecycle.transitions import finish, known_bill
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.state import State
from bot.policy.leases import PROMISED, ask_at, may_end, next_notice, notices_past, overdue_at

CHECK_EVERY = timedelta(minutes=3)
CHECK_AGAIN = timedelta(seconds=30)
"""A step that runs for another reason looks at the machine too, if the last look is older."""


async def run(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """One look at everything that can be due for a machine in use."""
    if _ended_as_overdue(deps, snapshot):
        return _ends(snapshot, deps.clock.now())
    snapshot = await _check(deps, snapshot)
    now = deps.clock.now()
    if snapshot.rental.state is State.READY:
        snapshot = _notice(deps, snapshot, now)
        snapshot = _ask(deps, snapshot, now)
        snapshot = await _end(deps, snapshot, now)
    if snapshot.rental.state is not State.READY:
        return snapshot
    return snapshot.with_rental(changed(snapshot.rental, due_at=_next(deps, snapshot, now)))


def _next(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    rental = snapshot.rental
    read_at = [r.read_at for r in snapshot.resources if r.gone_at is None]
    missing = any(r.missing_since for r in snapshot.resources if r.gone_at is None)
    check = poll_at(now) if missing or not read_at else max(min(read_at) + CHECK_EVERY, now + CHECK_AGAIN) + JITTER
    if rental.ends_at is None:
        return soonest(check, rental.ask_at)
    if rental.ends_at <= now:
        # In its last grace: nothing is asked or announced any more.
        return soonest(check, poll_at(now))
    return soonest(
        check, rental.ask_at, rental.ends_at, next_notice(rental.ends_at, rental.notices_given, deps.rules)
    )


# --- is it there


async def _check(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None:
        return _lost(snapshot, now)
    alive = [r for r in snapshot.resources_of(attempt) if r.gone_at is None]
    if any(now - r.read_at < CHECK_AGAIN and r.missing_since is None for r in alive):
        return snapshot
    views: dict[str, ResourceView | None] = {}
    try:
        for resource in alive:
            view = await deps.market.resource(resource.resource_id)
            if view is None or view.deleted:
                # The cache alone ends nothing: ask the vendor.
                view = await deps.market.resource(resource.resource_id, fresh=True)
            views[resource.resource_id] = view
        missing = any(view is None for view in views.values())
        progress = await deps.market.progress(attempt.offer.offer_id) if missing else OfferProgress(found=True)
    except MarketAway:
        return snapshot
    snapshot = read(snapshot, attempt, views, progress, now) if views else snapshot
    if snapshot.live is None:
        return _ends(snapshot, now) if _ended_as_overdue(deps, snapshot) else _lost(snapshot, now)
    rate = hourly(snapshot.resources_of(attempt), attempt)
    return snapshot if rate == snapshot.rental.rate else snapshot.with_rental(changed(snapshot.rental, rate=rate))


def _lost(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """The vendor took every resource."""
    rental, bill = snapshot.rental, snapshot.spent(now)
    facts = Facts(
        end=State.LOST,
        why=Why.VENDOR_TOOK_IT,
        **known_bill(bill, snapshot.attempts),
        rate=rental.rate,
        vendor=rental.vendor,
        span=_ran(snapshot, now),
    )
    # Where an attempt from before it was ready is still being deleted, the end comes once that is gone.
    after, _ = finish(rental, State.LOST, attempts=snapshot.attempts, at=now, bill=bill, why=Why.VENDOR_TOOK_IT)
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.LOST, at=now, facts=facts))


def _ran(snapshot: RentalSnapshot, now: datetime) -> timedelta:
    starts = [row.started_at for row in snapshot.ledger]
    ends = [row.ended_at for row in snapshot.ledger]
    return max(ends) - min(starts) if starts and ends else now - (snapshot.rental.ready_at or now)


# --- is it needed


def _notice(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    rental = snapshot.rental
    if rental.ends_at is None or rental.ends_at <= now:
        return snapshot
    past = notices_past(rental.ends_at, now, deps.rules)
    if past <= rental.notices_given:
        return snapshot
    snapshot = snapshot.with_rental(changed(rental, notices_given=past))
    return snapshot.with_event(EventKind.ENDING, now, _ending_facts(snapshot, rental.ends_at, now))


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
    rental = snapshot.rental
    if deps.rules.check_in.after is None or rental.ask_at is None:
        # The rules may have changed since the moment was stored. A past moment at which nobody is asked would keep
        # the rental due for ever.
        planned = ask_at(rental.seen_at or now, 0, deps.rules)
        return replace(snapshot, rental=changed(rental, ask_at=planned))
    if rental.ask_at > now or (rental.ends_at is not None and rental.ends_at <= now):
        return snapshot
    if rental.asked_times != PROMISED:
        if rental.ends_at is not None and rental.notices_given >= len(deps.rules.lease.notices) > 0:
            # The last notice of its end asks the same, so this would be a second ping.
            return replace(snapshot, rental=changed(rental, ask_at=rental.ends_at))
        quiet_until = ask_at(rental.seen_at or now, rental.asked_times, deps.rules)
        if quiet_until is not None and quiet_until > now:
            return replace(snapshot, rental=changed(rental, ask_at=quiet_until))
    asked = max(rental.asked_times, 0) + 1
    bill = snapshot.spent(now)
    facts = Facts(
        span=now - (rental.seen_at or now), amount=bill.amount, estimated=bill.estimated, rate=rental.rate
    )
    after = changed(rental, asked_times=asked, ask_at=ask_at(now, asked, deps.rules))
    return snapshot.with_rental(after).with_event(EventKind.STILL_NEEDED, now, facts)


# --- does it end


async def _end(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    rental = snapshot.rental
    if rental.ends_at is None or rental.ends_at > now:
        return snapshot
    if rental.extension is not None:
        facts = Facts(until=rental.ends_at, hours=rental.extension.envelope.lease)
        snapshot = snapshot.with_rental(changed(rental, envelope=rental.unextended, extension=None))
        snapshot = snapshot.with_event(EventKind.EXTENSION_EXPIRED, now, facts)
    told_at, said_at = await _told(deps, snapshot, rental.ends_at)
    ends = may_end(rental.ends_at, told_at, said_at, deps.rules)
    if ends is None:
        # Nobody could have seen this end: say it, and wait one grace.
        until = now + deps.rules.lease.grace
        return snapshot.with_event(EventKind.ENDING, now, _ending_facts(snapshot, until, now))
    return snapshot if now < ends else _ends(snapshot, now)


def _ends(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    bill, why = snapshot.spent(now), Why.LEASE_ENDED
    after, events = finish(
        snapshot.rental, State.DESTROYED, attempts=snapshot.attempts, at=now, bill=bill, why=why
    )
    return snapshot.with_rental(after, *events)


def _ended_as_overdue(deps: StepDeps, snapshot: RentalSnapshot) -> bool:
    """Whether the machine is gone, or marked for deletion, after the moment of the overdue deletion: then its
    lease ended it, and no vendor took it."""
    overdue = overdue_at(snapshot.rental.ends_at, None, deps.rules)
    ended = snapshot.live is None or snapshot.live.delete_wanted
    return ended and overdue is not None and overdue <= deps.clock.now()


async def _told(
    deps: StepDeps, snapshot: RentalSnapshot, ends_at: datetime
) -> tuple[datetime | None, datetime | None]:
    """When its owner first could read of this end, and when the last chance to read it was given."""
    async with deps.store.read() as tx:
        events = await tx.events.of(snapshot.rental.id)
        direct = await tx.messages.direct_of(snapshot.rental.id)
    says = {e.id for e in events if e.facts.until == ends_at}
    told = [
        m.posted_at
        for m in direct
        if m.event_id in says and m.posted_at is not None and m.to.value == snapshot.rental.owner
    ]
    # Whoever extends it knows its new end.
    told += [
        e.at for e in events if e.id in says and e.kind is EventKind.EXTENDED and e.actor == snapshot.rental.owner
    ]
    last_chance = [e.at for e in events if e.kind is EventKind.ENDING and e.at >= ends_at]
    return min(told, default=None), min(last_chance, default=None)
