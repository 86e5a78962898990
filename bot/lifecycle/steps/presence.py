"""Whether a ready machine is still there."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.billing import hourly, ledger_span
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports.outside import OfferProgress, ResourceView
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.lease_end import begin_end, ended_as_overdue
from bot.lifecycle.steps.polling import JITTER, poll_at
from bot.lifecycle.steps.reconcile import with_answer
from bot.lifecycle.transitions import change_rate, finish, known_bill
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.model.state import State

CHECK_EVERY = timedelta(minutes=3)
CHECK_AGAIN = timedelta(seconds=30)
"""A step that runs for another reason checks the machine too, if the last check is older."""


def next_check(snapshot: RentalSnapshot, now: datetime) -> datetime:
    """Return when the machine is checked next."""
    alive = [r for r in snapshot.resources if r.gone_at is None]
    if not alive or any(r.missing_since for r in alive):
        return poll_at(now)
    return max(min(r.read_at for r in alive) + CHECK_EVERY, now + CHECK_AGAIN) + JITTER


async def check(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Ask the market for the machine. End the rental if the vendor took it."""
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
        return begin_end(snapshot, now) if ended_as_overdue(deps, snapshot) else _lost(snapshot, now)
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
