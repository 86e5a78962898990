"""Reads spending from the store, and sends the alert about an unusual day, the weekly digest and scheduled alerts.

The scheduled alerts are about budgets (see `check_budget_alerts`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.lifecycle.changes.send import send, send_of_account
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.money.budgets import live_charges, send_planned_alerts
from bot.model.account_facts import DIGEST_DUE, UNUSUAL_DAY
from bot.model.base import changed
from bot.model.budget import TEAM, Charge, Month, Scope, ScopeKind
from bot.model.event import Event, EventKind
from bot.model.facts import DearRental, DigestFacts, UnusualDayFacts
from bot.model.money import Micros
from bot.model.rental import Rental
from bot.model.spend import Digest, Period, PeriodKind, ProjectWeek, Spent
from bot.model.state import UNBOUGHT, State
from bot.policy.buying import spend
from bot.policy.buying.months import month_end, month_of, months_between
from bot.policy.buying.spend import MEDIAN_OF, Running, in_period, newest_digest, period_of, week_of
from bot.policy.team.rules import Rules
from store.db import Tx

DEAR_RENTALS = 3
"""The number of rentals that the alert about an unusually expensive day lists.

These are the most expensive rentals of that day.
"""


def months_of_usual_day(now: datetime, rules: Rules) -> tuple[Month, ...]:
    """Return the months whose charges are needed to compute the cost of a usual day.

    These are the current month and, in the first half of a month, also the previous one.
    """
    return months_between(now - timedelta(days=MEDIAN_OF + 1), now, rules.billing_zone)


async def charges_of_months(
    tx: Tx, rules: Rules, months: Collection[Month], now: datetime, *, owner: str | None = None
) -> list[Charge]:
    """Return the charges of these months, including what running resources have cost by `now`.

    If `owner` is given, only the charges of this person are returned. Other asyncio tasks can run while the
    resources are read.
    """
    found = [charge for month in sorted(months) for charge in await tx.budgets.charges_in(month, owner)]
    live = await live_charges(tx, rules, now, owner=owner)
    return [*found, *(charge for charge in live if charge.month in months)]


async def unmanaged_machine_count(tx: Tx) -> int:
    """Return the number of unmanaged machines that are running now. The charges don't include their cost."""
    return sum(len(one.purchase.alive) for one in await tx.questions.purchases())


async def running_machines(tx: Tx, rentals: Iterable[Rental], now: datetime) -> list[Running]:
    """Return the machines of these rentals that are billed now, with the current ends of their leases."""
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


async def forecast_of_month(
    tx: Tx, rules: Rules, scope: Scope, charges: Sequence[Charge], now: datetime
) -> Micros | None:
    """Return the forecast of a scope's total cost in this month. None if too little is known yet.

    A scope is a person, a project or the whole team.

    Args:
        charges: The charges of the scope in the months that `months_of_usual_day` returns.
    """
    zone = rules.billing_zone
    month = month_of(now, zone)
    past, today = spend.recent_days(charges, now, zone)
    if spend.usual_day(past) is None:
        return None
    rentals = [
        rental
        for rental in await tx.rentals.live(scope.name if scope.kind is ScopeKind.PERSON else None)
        if scope.kind is not ScopeKind.PROJECT or rental.project == scope.name
    ]
    return spend.forecast(
        spent=sum(charge.amount for charge in charges if charge.month == month),
        today=today,
        past=past,
        running=await running_machines(tx, rentals, now),
        now=now,
        end=month_end(month, zone),
        zone=zone,
    )


async def notify_unusual_day(deps: Deps) -> None:
    """Notify the approvers' channel, at most once a day, if today is unusually expensive.

    Raises StoreBusy.
    """
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
    dearest = spend.dearest(of_rentals, DEAR_RENTALS)
    async with deps.store.read() as tx:
        rentals = await tx.rentals.get_many({rental_id for rental_id, _ in dearest})
    dear = []
    for rental_id, owner in dearest:
        one = DearRental(rental_id=rental_id, owner=owner, amount=of_rentals[rental_id, owner].amount)
        rental = rentals.get(rental_id)
        dear.append(changed(one, count=rental.request.count, gpu=rental.model) if rental is not None else one)
    facts = UnusualDayFacts(amount=today, estimate=spend.usual_day(past) or 0, dearest=tuple(dear))

    async def decision(tx: Tx) -> None:
        if await tx.account.get(UNUSUAL_DAY) == day:
            return
        await tx.account.set(UNUSUAL_DAY, day)
        event = Event(rental_id=None, kind=EventKind.UNUSUAL_DAY, at=now, facts=facts)
        await send(tx, deps, event)

    await transact(deps, decision)


async def check_budget_alerts(deps: Deps) -> None:
    """Send or drop the scheduled budget alerts that are due.

    Raises StoreBusy.
    """
    async with deps.store.read() as tx:
        if not await tx.budgets.alerts_due(deps.clock.now()):
            return
    await transact(deps, send_planned_alerts, deps)


# --- the digest, a weekly message to the home channel with the spending of each project but not of single people


async def send_digest(deps: Deps) -> None:
    """Send the home channel the latest digest that is due, unless it has been sent already.

    If the bot was down for several weeks, only the latest digest is sent. When the policy sets a time for digests
    for the first time, no digest is sent for the past. For a week without rentals, there is no digest.

    Raises StoreBusy.
    """
    due = newest_digest(deps.clock.now(), deps.rules)
    async with deps.store.read() as tx:
        last = await tx.account.get(DIGEST_DUE)
        is_new = due is not None and last is not None and last < due
        digest = await week_digest(tx, deps.rules, due, deps.clock.now()) if due is not None and is_new else None
    if last == due:
        return

    async def decision(tx: Tx) -> None:
        if await tx.account.get(DIGEST_DUE) != last:
            return
        await tx.account.set(DIGEST_DUE, due)
        if digest is not None:
            await send_of_account(tx, deps, EventKind.DIGEST, DigestFacts(digest=digest))

    await transact(deps, decision)


async def week_digest(tx: Tx, rules: Rules, due: datetime, now: datetime) -> Digest | None:
    """Return the content of the digest for the week before `due`, as it would be if sent `now`.

    None if nothing was spent in that week.
    """
    week, zone = week_of(due, rules), rules.billing_zone
    months = {*months_between(week.start, week.end, zone), *months_of_usual_day(now, rules)}
    charges = await charges_of_months(tx, rules, months, now)
    month = month_of(now, zone)
    period = Period(kind=PeriodKind.WEEK, month=month, start=week.start, end=week.end, running=False)
    spent = in_period(charges, period, lambda charge: charge.project)
    if not spent:
        return None
    running: defaultdict[str, list[Rental]] = defaultdict(list)
    not_confirmed: Counter[str] = Counter()
    for rental in await tx.rentals.live():
        if rental.state is State.DESTROYING:
            not_confirmed[rental.project] += 1
        elif rental.state not in UNBOUGHT:
            running[rental.project].append(rental)
    weeks = [
        ProjectWeek(
            project=project,
            spent=spent.get(project, Spent()),
            running=len(running[project]),
            rate=sum((rental.rate or Decimal(0) for rental in running[project]), start=Decimal(0)),
            not_confirmed=not_confirmed[project],
        )
        for project in {*spent, *running, *not_confirmed}
    ]
    return Digest(
        first=week.first,
        last=week.last,
        projects=tuple(sorted(weeks, key=lambda one: (-one.spent.amount, one.project))),
        month=month,
        forecast=await forecast_of_month(tx, rules, TEAM, charges, now),
    )
