"""What was spent, from the store: the charges of some months, and the alert of an unusual day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from bot.lifecycle.account.buying_blocks import send_alerts
from bot.lifecycle.budgets import live_charges
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.ports.store import Tx
from bot.model.account_facts import UNUSUAL_DAY
from bot.model.budget import Charge, Month
from bot.model.event import DearRental, Event, EventKind, Facts
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying import spend
from bot.policy.buying.months import months_between
from bot.policy.buying.spend import MEDIAN_OF, Running, period_of
from bot.policy.team.rules import Rules

DEAR_RENTALS = 3
"""How many rentals an alert of an unusual day names."""


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


async def notify_unusual_day(deps: Deps) -> None:
    """Notify the approvers' channel, once a day, if today is unusually dear. Raise StoreBusy."""
    rules, now = deps.rules, deps.clock.now()
    day = spend.day_of(now, rules.billing_zone).isoformat()
    async with deps.store.read() as tx:
        if await tx.account.get(UNUSUAL_DAY) == day:
            return
        charges = await charges_of_months(tx, rules, months_of_usual_day(now, rules), now)
    past, today = spend.recent_days(charges, now, rules.billing_zone)
    if not spend.is_unusual(today, past, rules.budgets.unusual_from):
        return
    of_rentals = spend.in_period(
        charges, period_of("today", now, rules.billing_zone), lambda charge: (charge.rental_id, charge.owner)
    )
    dearest = tuple(
        DearRental(rental_id=rental_id, owner=owner, amount=of_rentals[rental_id, owner].amount)
        for rental_id, owner in spend.dearest(of_rentals, DEAR_RENTALS)
    )
    facts = Facts(amount=today, estimate=spend.usual_day(past), dearest=dearest)

    async def decision(tx: Tx) -> None:
        if await tx.account.get(UNUSUAL_DAY) == day:
            return
        await tx.account.set(UNUSUAL_DAY, day)
        await send_alerts(tx, deps, Event(rental_id=None, kind=EventKind.UNUSUAL_DAY, at=now, facts=facts))

    await transact(deps, decision)
