"""Asks the market whether a ready machine still exists."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.account.reconcile import LOOK_UP_AGAIN, progress_of, with_answer
from bot.lifecycle.changes.lease_changes import change_rate, note_address
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import hourly
from bot.lifecycle.outside import OfferProgress, ResourceView
from bot.lifecycle.steps.polling import poll_at, retry_at
from bot.model.attempt import Attempt
from bot.policy.use.visit_times import Check, next_check

CHECK_AGAIN = timedelta(seconds=30)
"""A step that runs for another reason also checks the machine if the last check is older than this."""


async def check(deps: StepDeps, snapshot: RentalSnapshot) -> tuple[RentalSnapshot, datetime]:
    """Ask the market for the machine if a check is due. Return the snapshot with the answer, and when the next
    check is due. If the machine is gone, the snapshot has no live attempt."""
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None:
        return snapshot, now
    alive = snapshot.alive_of(attempt)
    planned = _planned(snapshot, attempt, now)
    missing = any(r.missing_since for r in alive)
    shown_later = snapshot.rental.running_lease.shown_later_at is not None
    first_look = shown_later and any(r.read_at < deps.opened.at for r in alive)
    if planned.at > now and not missing and not first_look and any(now - r.read_at < CHECK_AGAIN for r in alive):
        return snapshot, planned.at
    views: dict[str, ResourceView | None] = {}
    try:
        for resource in alive:
            view = await deps.market.resource(resource.resource_id, fresh=planned.live)
            if not planned.live and (view is None or view.deleted):
                # The market's cache may be stale. Only the vendor's own answer ends a rental.
                view = await deps.market.resource(resource.resource_id, fresh=True)
            views[resource.resource_id] = view
        not_found = any(view is None for view in views.values())
        progress = await progress_of(deps, attempt) if not_found else OfferProgress()
    except MarketAway as away:
        return snapshot, retry_at(now, away)
    gone = {r.resource_id for r in alive if (view := views.get(r.resource_id)) is None or view.deleted}
    deps.opened.gone.update(r.resource_id for r in alive if r.resource_id in gone and r.read_at < deps.opened.at)
    snapshot = with_answer(snapshot, attempt, views, progress, now) if views else snapshot
    attempt = snapshot.attempt(attempt.n)
    if not attempt.live:
        return snapshot, now
    rate = hourly(snapshot.resources_of(attempt), attempt)
    if rate != snapshot.rental.rate:
        snapshot = snapshot.with_rental(change_rate(snapshot.rental, rate))
    return _with_address(snapshot, attempt), _planned(snapshot, attempt, now).at


def _with_address(snapshot: RentalSnapshot, attempt: Attempt) -> RentalSnapshot:
    """Return the snapshot with the machine's address if the rental has none yet. An adopted machine, for example,
    may run before its vendor states an address."""
    if snapshot.rental.host is not None:
        return snapshot
    for resource in snapshot.alive_of(attempt):
        if resource.host is not None:
            return snapshot.with_rental(note_address(snapshot.rental, resource.host, resource.port))
    return snapshot


def _planned(snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> Check:
    """Return the next check. A machine that was not found is polled until it counts as gone (LOOK_UP_AGAIN)."""
    alive = snapshot.alive_of(attempt)
    missing_since = [r.missing_since for r in alive if r.missing_since is not None]
    if alive and not missing_since:
        read_at = min(resource.read_at for resource in alive)
        return next_check(read_at, snapshot.rental.request.contract, snapshot.last_visit, now)
    counts_at = [since + LOOK_UP_AGAIN for since in missing_since if since + LOOK_UP_AGAIN > now]
    return Check(at=min([poll_at(now), *counts_at]), live=True)
