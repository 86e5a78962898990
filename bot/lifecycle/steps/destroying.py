"""A rental that is being destroyed, or that is over."""

from __future__ import annotations

from bot.lifecycle.billing import cost_something, ledger_span
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.transitions import confirm_destroyed
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.policy.spending import receipt_estimate


async def destroy(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """End the rental if every attempt is settled. `deletion` has done its round before this step."""
    now, rental = deps.clock.now(), snapshot.rental
    if not all(attempt.settled for attempt in snapshot.attempts):
        return snapshot.with_due(None)
    bill = snapshot.spent(now)
    after = confirm_destroyed(rental, now)
    why = after.ending.why if after.ending else None
    stood = rental.lease is not None and rental.lease.latest_end is None
    # Not if the first of two ends came, or if it billed before its lease because it got an owner later.
    ran_its_length = why is Why.LEASE_ENDED and stood and rental.quote_id is not None
    facts = Facts(
        end=after.state,
        why=why,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=rental.rate,
        span=ledger_span(snapshot.ledger),
        paid=cost_something(bill),
        estimate=receipt_estimate(rental.rate, rental.envelope.lease, bill.amount, ran_its_length=ran_its_length),
    )
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ENDED, at=now, facts=facts))


async def stay_over(_: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Change nothing. The rental is due only while a resource that appeared after its end is being deleted."""
    return snapshot.with_due(None)
