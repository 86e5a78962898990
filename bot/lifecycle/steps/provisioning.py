"""From accepted to ready: ask the market first, judge time-outs second."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.billing import hourly
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports.outside import OfferProgress
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.deletion import marked_as_overdue
from bot.lifecycle.steps.polling import POLL, again_at, poll_at, soonest
from bot.lifecycle.steps.procuring import give_up, note_overdue
from bot.lifecycle.steps.reconcile import look
from bot.lifecycle.transitions import become_ready, note_progress
from bot.model.attempt import NAMED, Attempt, Resource, Why
from bot.model.base import changed
from bot.model.event import EventKind, Facts
from bot.model.rental import Lease, Question
from bot.policy.leases import ask_at, notices_past
from bot.policy.spending import affordable_lease, provisioning_budget

PROBE_AGAIN = timedelta(seconds=3)
PROBE_AT_MOST = timedelta(minutes=2)
"""Real time for which an SSH banner is looked for; then it is told as silent."""


async def provision(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Asks how far it is; gives up on it when the vendor failed or took too long."""
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None or attempt.marked_for_deletion:
        # Its deletion was accepted, or it vanished before it was ready.
        lost = snapshot.attempts[-1]
        if not marked_as_overdue(lost):
            return give_up(snapshot, lost, Why.VENDOR_TOOK_IT, now)
        return note_overdue(deps, give_up(snapshot, lost, Why.TOO_SLOW, now), lost)
    try:
        seen = [resource.status != NAMED for resource in snapshot.resources_of(attempt)]
        if seen and all(seen):
            progress = await deps.market.progress(attempt.offer.offer_id)
        else:
            # What bills is written down as soon as it shows, whatever becomes of it.
            snapshot, progress = await look(deps, snapshot, attempt)
            attempt = snapshot.attempts[-1]
    except MarketAway as away:
        return _later(snapshot, again_at(now, away))
    if not attempt.live:
        return give_up(snapshot, attempt, Why.VENDOR_FAILED, now, progress.detail)
    if progress.ready and progress.all_running:
        snapshot, done = await _open_door(deps, snapshot, attempt)
        if done:
            return snapshot
    elif progress.failed:
        return give_up(snapshot, attempt, Why.VENDOR_FAILED, now, progress.detail)
    else:
        snapshot = snapshot.with_rental(changed(snapshot.rental, quiet_since_real=None))
    snapshot = _note_progress(snapshot, attempt, progress)
    deadline = _deadline(deps, snapshot, attempt, now)
    quiet_since = snapshot.rental.quiet_since_real
    knocking = quiet_since is not None and deps.clock.real() - quiet_since < PROBE_AT_MOST
    if now >= deadline and not knocking:
        return give_up(snapshot, attempt, Why.TOO_SLOW, now, progress.progress)
    if knocking:
        return _later(snapshot, now + PROBE_AGAIN)
    return _later(snapshot, soonest(poll_at(now), deadline))


def _later(snapshot: RentalSnapshot, due_at: datetime | None) -> RentalSnapshot:
    return snapshot.with_due(due_at)


def _deadline(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> datetime:
    """Until when it may take: the rules' time-out, and no longer than the envelope's total can pay for."""
    envelope = snapshot.rental.envelope
    rate = hourly(snapshot.resources_of(attempt), attempt)
    left = provisioning_budget(envelope.total, snapshot.spent(now).amount, rate, envelope.lease, deps.rules)
    return min((snapshot.rental.accepted_at or now) + deps.rules.procure.provision_timeout, now + left)


def _note_progress(snapshot: RentalSnapshot, attempt: Attempt, progress: OfferProgress) -> RentalSnapshot:
    if progress.progress == snapshot.rental.progress:
        return snapshot
    return snapshot.with_rental(note_progress(snapshot.rental, progress.progress))


async def _open_door(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> tuple[RentalSnapshot, bool]:
    """Reads address and port and looks for an SSH banner; says whether that decided something."""
    reachable = _reachable(snapshot, attempt)
    knocked = snapshot.rental.quiet_since_real is not None
    # Knocking again needs no new address so soon, and each look is a change that the card shows.
    if reachable is None or not knocked or deps.clock.now() - reachable.read_at >= POLL:
        try:
            snapshot, _ = await look(deps, snapshot, attempt)
        except MarketAway:
            return snapshot, False
        reachable = _reachable(snapshot, attempt)
    if reachable is None or reachable.host is None:
        return snapshot, False
    port = reachable.port or 22
    if await deps.prober.banner(reachable.host, port):
        return _ready(deps, snapshot, reachable, silent=False), True
    since = snapshot.rental.quiet_since_real or deps.clock.real()
    if deps.clock.real() - since >= PROBE_AT_MOST:
        return _ready(deps, snapshot, reachable, silent=True), True
    return snapshot.with_rental(changed(snapshot.rental, quiet_since_real=since)), False


def _reachable(snapshot: RentalSnapshot, attempt: Attempt) -> Resource | None:
    alive = [r for r in snapshot.resources_of(attempt) if r.gone_at is None]
    return next((r for r in alive if r.host is not None), None)


def _ready(deps: StepDeps, snapshot: RentalSnapshot, resource: Resource, *, silent: bool) -> RentalSnapshot:
    now, rental, attempt = deps.clock.now(), snapshot.rental, snapshot.attempts[-1]
    envelope, rate = rental.envelope, hourly(snapshot.resources_of(attempt), attempt)
    # Whole, but where it bills more than was offered, or was made while nobody was here to see it.
    ends_at = now + affordable_lease(envelope.total, snapshot.spent(now).amount, rate, envelope.lease, deps.rules)
    lease = Lease(
        ready_at=now,
        ends_at=ends_at,
        notices_given=notices_past(ends_at, now, deps.rules),
        seen_at=now,
        question=Question(at=ask_at(now, 0, deps.rules)),
    )
    after = become_ready(rental, host=resource.host, port=resource.port or 22, rate=rate, lease=lease)
    facts = Facts(
        vendor=attempt.offer.vendor,
        vendor_region=attempt.offer.vendor_region,
        rate=after.rate,
        span=now - (rental.procuring_since or attempt.intended_at),
        since=attempt.intended_at,
        until=ends_at,
        gpu=attempt.offer.gpu,
        count=attempt.offer.count,
    )
    if silent:
        snapshot = snapshot.with_event(EventKind.SILENT, now, facts)
    return snapshot.with_rental(after).with_event(EventKind.READY, now, facts)
