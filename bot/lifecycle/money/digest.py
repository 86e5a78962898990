"""The week's spend for the home channel: once a week, by project and never by person."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.money.spend import charges_of_months, forecast_of_month, months_of_usual_day
from bot.model.account_facts import DIGEST_DUE
from bot.model.budget import TEAM
from bot.model.event import Event, EventKind
from bot.model.facts import DigestFacts
from bot.model.rental import Rental
from bot.model.spend import Digest, Period, PeriodKind, ProjectWeek, Spent
from bot.model.state import UNBOUGHT, State
from bot.policy.buying.months import month_of, months_between
from bot.policy.buying.spend import in_period, newest_digest, week_of
from bot.policy.team.rules import Rules
from store.db import Tx


async def send_digest(deps: Deps) -> None:
    """Send the home channel the digest that was due last, unless it was sent. Send none of a week without rentals.
    Raise StoreBusy.

    After a time off only the newest one is sent. The first one is that which is due next after the policy named a
    time.
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
            facts = DigestFacts(digest=digest)
            event = Event(rental_id=None, kind=EventKind.DIGEST, at=deps.clock.now(), facts=facts)
            await send(tx, deps, event)

    await transact(deps, decision)


async def week_digest(tx: Tx, rules: Rules, due: datetime, now: datetime) -> Digest | None:
    """Return what a digest says that was due at `due` and is sent `now`. Return None if nothing was rented in its
    week."""
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
