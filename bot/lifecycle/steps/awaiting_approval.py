"""A request that waits for a decision."""

from __future__ import annotations

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import poll_at
from bot.lifecycle.transitions import finish
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State


async def wait(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Expire the request if nobody decided in time."""
    now, rental = deps.clock.now(), snapshot.rental
    if not deps.swept():
        # Its machine may run already, if the database was restored. Then nobody may read that nothing was rented.
        return snapshot.with_due(poll_at(now))
    if rental.waiting is not None and now < rental.waiting.expires_at:
        return snapshot.with_due(rental.waiting.expires_at)
    after, (event,) = finish(rental, State.EXPIRED, attempts=snapshot.attempts, at=now, bill=snapshot.spent(now))
    return snapshot.with_rental(after, changed(event, kind=EventKind.EXPIRED))
