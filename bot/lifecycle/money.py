"""What a rental has cost: from the ledger for what is gone, from start and price for what still bills."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.money import cost
from bot.model.story import Spent


def ledger_row(resource: Resource, attempt: Attempt, owner: str) -> LedgerRow:
    """The one row of a resource that is gone. What the API left out is ours, and marked as estimated."""
    if resource.gone_at is None:
        raise ValueError(f"{resource.resource_id} is not gone")
    started, ended = _start(resource, attempt), resource.valid_to or resource.gone_at
    rate = attempt.offer.rate if resource.rate is None else resource.rate
    return LedgerRow(
        resource_id=resource.resource_id,
        rental_id=resource.rental_id,
        owner=owner,
        started_at=started,
        ended_at=max(started, ended),
        rate=rate,
        amount=cost(rate, max(started, ended) - started),
        estimated=None in (resource.rate, resource.valid_from, resource.valid_to),
    )


def spent(
    ledger: Iterable[LedgerRow], resources: Iterable[Resource], attempts: Iterable[Attempt], now: datetime
) -> Spent:
    """What a rental has cost by `now`."""
    rows = tuple(ledger)
    amount, estimated = sum(row.amount for row in rows), any(row.estimated for row in rows)
    by_number = {attempt.n: attempt for attempt in attempts}
    for resource in resources:
        if resource.gone_at is not None:
            continue
        attempt = by_number[resource.attempt]
        rate = attempt.offer.rate if resource.rate is None else resource.rate
        start = _start(resource, attempt)
        amount += cost(rate, max(start, resource.valid_to or now) - start)
        estimated = estimated or resource.rate is None or resource.valid_from is None
    return Spent(amount=amount, estimated=estimated)


def hourly(resources: Iterable[Resource], attempt: Attempt) -> Decimal:
    """What an attempt costs an hour: what its resources that live say together, else what its offer said."""
    rates = [resource.rate for resource in resources if resource.gone_at is None]
    said = [rate for rate in rates if rate is not None]
    return sum(said, start=Decimal(0)) if said and len(said) == len(rates) else attempt.offer.rate


def _start(resource: Resource, attempt: Attempt) -> datetime:
    return resource.valid_from or attempt.intended_at
