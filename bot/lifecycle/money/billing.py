"""Computes the cost of rentals, from ledger rows and from the start and price of resources that still run.

A ledger row is written once a resource has been terminated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.money import Micros, cost, cost_at_most
from bot.model.records import Accruing, Billing
from bot.model.summary import AccruedCost
from bot.policy.buying.charges import BilledPart
from bot.policy.buying.spending import UNRESOLVED_COUNTS_FOR


def ledger_row(resource: Resource, attempt: Attempt, owner: str, written: Iterable[LedgerRow] = ()) -> LedgerRow:
    """Return the ledger row of a terminated resource. Raises ValueError if the resource isn't terminated.

    If the API didn't report the resource's start, end or price, the bot's own value is used and the row is marked
    as estimated.

    A resource can reappear after it was considered terminated. In this case, `written` contains the resource's
    earlier rows, and the new row starts where the last earlier row ends.
    """
    if resource.terminated_at is None:
        raise ValueError(f"{resource.resource_id} is not gone")
    before = [row for row in written if row.resource_id == resource.resource_id]
    started, rate = _unbilled(_billing(resource, attempt, before))
    ended = max(started, resource.valid_to or resource.terminated_at)
    return LedgerRow(
        resource_id=resource.resource_id,
        n=len(before) + 1,
        rental_id=resource.rental_id,
        owner=owner,
        started_at=started,
        ended_at=ended,
        rate=rate,
        amount=cost(rate, ended - started),
        estimated=None in (resource.rate, resource.valid_from, resource.valid_to),
    )


def unwritten_row(one: Accruing, now: datetime) -> LedgerRow:
    """Return a ledger row for a running resource, as if the resource was terminated `now`."""
    part, billing = _billed_by(one.billing, now), one.billing
    return LedgerRow(
        resource_id=one.resource_id,
        n=one.rows + 1,
        rental_id=one.charged.rental_id,
        owner=one.charged.owner,
        started_at=part.started_at,
        ended_at=part.ended_at,
        rate=billing.offer_rate if billing.rate is None else billing.rate,
        amount=part.amount,
        estimated=billing.rate is None or billing.valid_from is None,
    )


def spent(
    ledger: Iterable[LedgerRow], resources: Iterable[Resource], attempts: Iterable[Attempt], now: datetime
) -> AccruedCost:
    """Return the cost of a rental until `now`."""
    rows = tuple(ledger)
    alive = _alive(rows, resources, attempts).values()
    return accrued(sum(row.amount for row in rows), alive, now, estimated=any(row.estimated for row in rows))


def spent_on(
    attempt: Attempt, ledger: Iterable[LedgerRow], resources: Iterable[Resource], now: datetime
) -> AccruedCost:
    """Return the cost until `now` of one attempt, that is, of one purchase of a machine."""
    own = [resource for resource in resources if resource.attempt == attempt.n]
    ids = {resource.resource_id for resource in own}
    return spent([row for row in ledger if row.resource_id in ids], own, (attempt,), now)


def spent_at_most(
    ledger: Iterable[LedgerRow], resources: Iterable[Resource], attempts: Iterable[Attempt], now: datetime
) -> Micros:
    """Return the cost of a rental until `now`, including the possible cost of unresolved purchases.

    A purchase is unresolved while nobody knows whether its call bought a machine. It is assumed to be billed for
    at least UNRESOLVED_COUNTS_FOR.
    """
    rows, known, tried = tuple(ledger), tuple(resources), tuple(attempts)
    amount = spent(rows, known, tried, now).amount
    for attempt in tried:
        if attempt.unresolved:
            billed = spent_on(attempt, rows, known, now).amount
            amount += max(cost_at_most(attempt.rate, UNRESOLVED_COUNTS_FOR) - billed, 0)
    return amount


def still_billing(
    ledger: Iterable[LedgerRow], resources: Iterable[Resource], attempts: Iterable[Attempt], now: datetime
) -> dict[str, BilledPart]:
    """Return the part of each running resource's bill that isn't in the ledger yet, by resource ID."""
    alive = _alive(tuple(ledger), resources, attempts)
    return {resource_id: _billed_by(one, now) for resource_id, one in alive.items()}


def _alive(
    rows: Sequence[LedgerRow], resources: Iterable[Resource], attempts: Iterable[Attempt]
) -> dict[str, Billing]:
    by_number = {attempt.n: attempt for attempt in attempts}
    return {
        one.resource_id: _billing(
            one, by_number[one.attempt], [row for row in rows if row.resource_id == one.resource_id]
        )
        for one in resources
        if one.terminated_at is None
    }


def accrued(billed: Micros, alive: Iterable[Billing], now: datetime, *, estimated: bool) -> AccruedCost:
    """Return the sum of the ledger plus the cost that running resources have added by `now`.

    Args:
        billed: The sum of the ledger.
        alive: The billing values of the running resources.
        estimated: True if a part of `billed` is estimated.
    """
    amount = billed
    for one in alive:
        amount += _billed_by(one, now).amount
        estimated = estimated or one.rate is None or one.valid_from is None
    return AccruedCost(amount=amount, estimated=estimated)


def cost_something(bill: AccruedCost) -> bool | None:
    """Return whether a rental cost anything. None if its bill is zero so far, but contains an estimate."""
    return True if bill.amount else None if bill.estimated else False


def ledger_span(ledger: Iterable[LedgerRow]) -> timedelta | None:
    """Return the period from the earliest start to the latest end of these ledger rows. None if there are none."""
    rows = tuple(ledger)
    if not rows:
        return None
    return max(row.ended_at for row in rows) - min(row.started_at for row in rows)


def hourly(resources: Iterable[Resource], attempt: Attempt) -> Decimal:
    """Return the hourly cost of one purchase: the sum of the rates of its running resources.

    If one of these rates is unknown, the price of the purchased offer is returned instead. A machine that an
    admin adopted has no offer. In this case, the sum of the known rates is returned.
    """
    rates = [resource.rate for resource in resources if resource.terminated_at is None]
    known = [rate for rate in rates if rate is not None]
    whole = len(known) == len(rates) or attempt.adopted is not None
    return sum(known, start=Decimal(0)) if known and whole else attempt.rate


def _billing(resource: Resource, attempt: Attempt, before: Iterable[LedgerRow]) -> Billing:
    return Billing(
        rate=resource.rate,
        valid_from=resource.valid_from,
        valid_to=resource.valid_to,
        offer_rate=attempt.rate,
        intended_at=attempt.intended_at,
        billed_to=max((row.ended_at for row in before), default=None),
    )


def _billed_by(one: Billing, now: datetime) -> BilledPart:
    start, rate = _unbilled(one)
    end = max(start, one.valid_to or now)
    return BilledPart(started_at=start, ended_at=end, amount=cost(rate, end - start))


def _unbilled(one: Billing) -> tuple[datetime, Decimal]:
    """Return the time at which the unbilled part of a resource starts, and its rate.

    The cost before that time is in the ledger already.
    """
    start = one.valid_from or one.intended_at
    return max(start, one.billed_to or start), one.offer_rate if one.rate is None else one.rate
