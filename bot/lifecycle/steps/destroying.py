"""A rental that is being destroyed, or that is over."""

from __future__ import annotations

from dataclasses import replace

from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import confirm_destroyed
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import cost_something, ledger_span
from bot.lifecycle.steps.ready_machine import last_visits, with_unknown
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.policy.buying.spending import receipt_estimate
from bot.policy.use.verdicts import unseen_since


async def destroy(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """End the rental if every attempt is settled. `deletion` has done its round before this step."""
    now, rental = deps.clock.now(), snapshot.rental
    if not all(attempt.settled for attempt in snapshot.attempts):
        return snapshot.with_due(None)
    bill = snapshot.spent(now)
    after = confirm_destroyed(rental, now)
    why = after.ending.why if after.ending else None
    stood = rental.lease is not None and rental.lease.latest_end is None
    # False if the first of two ends came, or if the machine was adopted and so billed before its lease.
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


async def note_unseen_end(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Return the snapshot of a rental that has just ended with an unknown verdict from the moment since which
    nobody saw its machine's use, if the bot was down before the end. Otherwise the last verdict would count until
    the end. The end stays the last event."""
    rental = snapshot.rental
    if rental.use is None:
        return snapshot
    ending, (*earlier, ended) = rental.ending, snapshot.events
    at = (ending.since if ending else None) or ended.at
    async with deps.store.read() as tx:
        visits = await last_visits(tx, rental, at, deps.rules)
    since = unseen_since(rental.use, visits, at, deps.rules)
    if since is None:
        return snapshot
    noted = with_unknown(replace(snapshot, events=tuple(earlier)), since, ended.at)
    return noted.with_rental(noted.rental, ended)
