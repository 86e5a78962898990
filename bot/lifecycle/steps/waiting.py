"""A rental that waits for a decision, for an offer or for its start time, and the notice of an approval.
bot/lifecycle/loops/wishes.py looks for offers."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import finish, give_approval_notice
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.steps.blocked_buying import end_wish
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State


async def wait(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Expire the request if nobody decided in time, or end the rental if its wish has ended."""
    now, rental = deps.clock.now(), snapshot.rental
    if rental.state is State.AWAITING_APPROVAL:
        until = rental.waiting.expires_at if rental.waiting is not None else now
    else:
        until = rental.wish.until if rental.wish is not None else now
    if now < until:
        return snapshot.with_due(until)
    if not deps.opened.swept:
        # If the database is a backup, the rental's machine may run already. Don't say yet that nothing was rented.
        return snapshot.with_due(poll_at(now))
    if rental.state is State.QUEUED:
        return end_wish(snapshot, now)
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
