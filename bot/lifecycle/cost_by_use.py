"""What a rental has cost, by the use of its machine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.lifecycle.billing import still_billing
from bot.lifecycle.snapshot import RentalSnapshot
from bot.model.event import Event
from bot.model.summary import UseCosts
from bot.policy.use_costs import Billed, Stretch, stretches, use_costs


def cost_by_use(snapshot: RentalSnapshot, events: Iterable[Event], now: datetime) -> UseCosts:
    """Return what a rental has cost by `now`, by the use of its machine. `events` are all of its events.

    The sum is `snapshot.spent(now)`. Time before ready and after the deletion began is unknown. So is what other
    attempts than the last one billed: only the machine of the last one became ready.
    """
    known = _known(snapshot, events, now)
    last = max((attempt.n for attempt in snapshot.attempts), default=0)
    of_machine = {resource.resource_id for resource in snapshot.resources if resource.attempt == last}
    alive = still_billing(snapshot.ledger, snapshot.resources, snapshot.attempts, now)
    billed: list[tuple[str, Billed]] = [*((row.resource_id, row) for row in snapshot.ledger), *alive.items()]
    costs = UseCosts()
    for resource_id, one in billed:
        costs += use_costs(one, known if resource_id in of_machine else ())
    return costs


def _known(snapshot: RentalSnapshot, events: Iterable[Event], now: datetime) -> tuple[Stretch, ...]:
    """Return the time about which something is known: between ready and the end, or `now`."""
    rental = snapshot.rental
    if rental.lease is None:
        return ()
    deletion_began = rental.ending.since if rental.ending else None
    return stretches(events, ready_at=rental.lease.ready_at, until=deletion_began or rental.over_at or now)
