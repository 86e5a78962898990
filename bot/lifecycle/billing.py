"""What a rental has cost: from the ledger for what is gone, from start and price for what still bills."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from bot.lifecycle.ports.records import Billing
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.money import Micros, cost
from bot.model.summary import AccruedCost


def ledger_row(resource: Resource, attempt: Attempt, owner: str, written: Iterable[LedgerRow] = ()) -> LedgerRow:
    """The row of a resource that is gone. What the API left out is ours, and marked as estimated. Where it came
    back after rows were `written` of it, this one begins where the last of them ended."""
    if resource.gone_at is None:
        raise ValueError(f"{resource.resource_id} is not gone")
    before = [row for row in written if row.resource_id == resource.resource_id]
    started, rate = _from(_billing(resource, attempt, before))
    ended = max(started, resource.valid_to or resource.gone_at)
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


def spent(
    ledger: Iterable[LedgerRow], resources: Iterable[Resource], attempts: Iterable[Attempt], now: datetime
) -> AccruedCost:
    """What a rental has cost by `now`."""
    rows = tuple(ledger)
    by_number = {attempt.n: attempt for attempt in attempts}
    alive = [
        _billing(one, by_number[one.attempt], [row for row in rows if row.resource_id == one.resource_id])
        for one in resources
        if one.gone_at is None
    ]
    return so_far(sum(row.amount for row in rows), alive, now, estimated=any(row.estimated for row in rows))


def so_far(billed: Micros, alive: Iterable[Billing], now: datetime, *, estimated: bool) -> AccruedCost:
    """What is in the ledger, where part may be `estimated`, and what is alive has added to it by `now`."""
    amount = billed
    for one in alive:
        start, rate = _from(one)
        amount += cost(rate, max(start, one.valid_to or now) - start)
        estimated = estimated or one.rate is None or one.valid_from is None
    return AccruedCost(amount=amount, estimated=estimated)


def cost_something(bill: AccruedCost) -> bool | None:
    """Whether a bill that is final is for anything; None if that isn't known, since it was only estimated."""
    return True if bill.amount else None if bill.estimated else False


def hourly(resources: Iterable[Resource], attempt: Attempt) -> Decimal:
    """What an attempt costs an hour: what its resources that live say together, else what its offer said."""
    rates = [resource.rate for resource in resources if resource.gone_at is None]
    said = [rate for rate in rates if rate is not None]
    return sum(said, start=Decimal(0)) if said and len(said) == len(rates) else attempt.offer.rate


def _billing(resource: Resource, attempt: Attempt, before: Iterable[LedgerRow]) -> Billing:
    return Billing(
        rate=resource.rate,
        valid_from=resource.valid_from,
        valid_to=resource.valid_to,
        offer_rate=attempt.offer.rate,
        intended_at=attempt.intended_at,
        billed_to=max((row.ended_at for row in before), default=None),
    )


def _from(one: Billing) -> tuple[datetime, Decimal]:
    """From when on it isn't in the ledger, and its price."""
    start = one.valid_from or one.intended_at
    return max(start, one.billed_to or start), one.offer_rate if one.rate is None else one.rate
