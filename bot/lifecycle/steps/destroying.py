"""A rental that is being destroyed."""

from __future__ import annotations

from bot.lifecycle.billing import cost_something
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.transitions import confirm_destroyed
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.policy.spending import receipt_estimate


async def destroy(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Ends it once every attempt is gone; deletions were tended before this step."""
    now, rental = deps.clock.now(), snapshot.rental
    if not all(attempt.settled for attempt in snapshot.attempts):
        return snapshot.with_due(None)
    bill = snapshot.spent(now)
    after = confirm_destroyed(rental, now)
    why = after.ending.why if after.ending else None
    starts = [row.started_at for row in snapshot.ledger]
    ends = [row.ended_at for row in snapshot.ledger]
    facts = Facts(
        end=after.state,
        why=why,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=rental.rate,
        span=max(ends) - min(starts) if starts else None,
        paid=cost_something(bill),
        estimate=receipt_estimate(
            rental.rate, rental.envelope.lease, bill.amount, ran_its_length=why is Why.LEASE_ENDED
        ),
    )
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ENDED, at=now, facts=facts))
