"""A rental that is being destroyed."""

from __future__ import annotations

from bot.lifecycle.billing import cost_something
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.transitions import move
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.money import cost
from bot.model.state import State


async def destroy(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Ends it once every attempt is gone; deletions were tended before this step."""
    now, rental = deps.clock.now(), snapshot.rental
    if not all(attempt.settled for attempt in snapshot.attempts):
        return snapshot.with_rental(changed(rental, due_at=None))
    bill = snapshot.spent(now)
    end = rental.end or State.DESTROYED
    starts = [row.started_at for row in snapshot.ledger]
    ends = [row.ended_at for row in snapshot.ledger]
    facts = Facts(
        end=end,
        why=rental.end_why,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=rental.rate,
        span=max(ends) - min(starts) if starts else None,
        paid=cost_something(bill),
        estimate=cost(rental.rate, rental.envelope.lease) if rental.ready_at and rental.rate else None,
    )
    after = move(rental, end, over_at=now, due_at=None)
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ENDED, at=now, facts=facts))
