"""What was spent, from the store: the charges of some months."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from bot.lifecycle.budgets import live_charges
from bot.lifecycle.ports.store import Tx
from bot.model.budget import Charge, Month
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.months import months_between
from bot.policy.buying.spend import MEDIAN_OF, Running
from bot.policy.team.rules import Rules


def months_of_usual_day(now: datetime, rules: Rules) -> tuple[Month, ...]:
    """Return the months of today and of the days before today from which the usual day is computed."""
    return months_between(now - timedelta(days=MEDIAN_OF + 1), now, rules.billing_zone)


async def charges_of_months(tx: Tx, rules: Rules, months: Collection[Month], now: datetime) -> list[Charge]:
    """Return the charges of these months, with what resources that still bill have added to them by `now`."""
    found = [charge for month in sorted(months) for charge in await tx.budgets.charges_in(month)]
    return [*found, *(charge for charge in await live_charges(tx, rules, now) if charge.month in months)]


async def running_machines(tx: Tx, rentals: Iterable[Rental], now: datetime) -> list[Running]:
    """Return the machines of these rentals that bill now, with the ends of their leases as they stand."""
    ends = {rental.id: _end(rental, now) for rental in rentals}
    return [
        Running(one.rate, ends[one.rental_id])
        for one in await tx.rentals.alive_resources()
        if one.rental_id in ends and one.rate is not None
    ]


def _end(rental: Rental, now: datetime) -> datetime:
    if rental.state is State.DESTROYING or rental.state.over:
        return now
    return rental.lease.ends_at if rental.lease is not None else now + rental.request.lease
