"""A request that waits for a decision, and the notice of an approval."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.changes.transitions import finish, give_approval_notice
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State


async def wait(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Expire the request if nobody decided in time."""
    now, rental = deps.clock.now(), snapshot.rental
    if not deps.opened.swept:
        # If the database was restored, the rental's machine may run already. Don't say yet that nothing was
        # rented.
        return snapshot.with_due(poll_at(now))
    if rental.waiting is not None and now < rental.waiting.expires_at:
        return snapshot.with_due(rental.waiting.expires_at)
    after, (event,) = finish(rental, State.EXPIRED, attempts=snapshot.attempts, at=now, bill=snapshot.spent(now))
    return snapshot.with_rental(after, changed(event, kind=EventKind.EXPIRED))


def give_approval_notice_if_due(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Return the snapshot with an event that notifies the owner of the approval, if the machine is not ready by
    `approval_notice_at`. Before that time, return the snapshot due again at it."""
    at = snapshot.rental.approval_notice_at
    if at is None:
        return snapshot
    if at > now:
        return snapshot.with_due(soonest(at, snapshot.rental.due_at))
    return snapshot.with_rental(give_approval_notice(snapshot.rental)).with_event(
        EventKind.APPROVED_NOT_READY, now
    )
