"""Spending reports and the file of a month's charges, limited to what their reader is allowed to see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.errors import Mistake, Refused, TooLate
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.month_files import month_file
from bot.lifecycle.money.spend import (
    charges_of_months,
    forecast_of_month,
    months_of_usual_day,
    unmanaged_machine_count,
)
from bot.lifecycle.money.used_up import rates_now
from bot.model.budget import TEAM, UNASSIGNED, Charge, MonthPart, Scope, ScopeKind
from bot.model.message import MessageKind, queued, to_person
from bot.model.money import Micros
from bot.model.person import Person
from bot.model.spend import OwnerMonth, PeriodKind, RowsOf, SpendReport, SpendRow, Spent
from bot.policy.buying import spend as policy
from bot.policy.buying.budgets import budget_of, used_up_at
from bot.policy.buying.focus import MonthFile
from bot.policy.buying.months import month_of, months_between
from bot.policy.buying.spend import days_of, in_period, period_of, points
from bot.policy.team.roles import check_reads_spend, is_approver_or_admin, sees_spend_of, sees_spend_of_people
from bot.policy.team.rules import Rules
from store.db import Tx

MOST_ROWS = 50


async def report(
    deps: Deps, person: Person, scope: Scope, words: str, rows_of: RowsOf | None = None
) -> SpendReport:
    """Return a report of a scope's spending in a period.

    A scope is a person, a project or the whole team. `words` is the typed name of the period; see `period_of`.

    Args:
        rows_of: The kind of rows that the reader asked for. None for the default. The default is also used if the
            reader isn't allowed to see these rows.

    Raises:
        Refused: The person isn't allowed to see this report.
        Mistake: The project is unknown, or the period is a future month.
    """
    rules, now = deps.rules, deps.clock.now()
    check_reads_spend(person, rules)
    if scope.kind is ScopeKind.PERSON and not sees_spend_of(person, scope.name, rules):
        raise Refused("Only that person, approvers, admins and finance can see what a person has spent.")
    zone = rules.billing_zone
    period = period_of(words, now, zone)
    this_month = period.kind is PeriodKind.MONTH and period.running
    months = {period.month} if period.kind is PeriodKind.MONTH else {*months_between(period.start, now, zone)}
    if this_month:
        months |= {*months_of_usual_day(now, rules)}
    async with deps.store.read() as tx:
        everything = await charges_of_months(tx, rules, months, now)
        scope = _known(scope, rules, everything)
        charges = [charge for charge in everything if _is_of(charge, scope)]
        chosen = _rows_of(person, scope, rules, rows_of)
        spent = in_period(charges, period, _KEYS[chosen])
        keys = policy.dearest(spent, len(spent))
        shown = keys[:MOST_ROWS]
        forecast = await forecast_of_month(tx, rules, scope, charges, now) if this_month else None
        names = await tx.people.names(shown) if chosen is RowsOf.PEOPLE else {}
        rentals = await tx.rentals.get_many(shown) if chosen is RowsOf.RENTALS else {}
        unmanaged_count = await unmanaged_machine_count(tx)
        rates = await rates_now(tx) if this_month else {}
    own_budget, budget = _budgets(person, scope, rules) if this_month else (None, None)
    own_scope = Scope(kind=ScopeKind.PERSON, name=person.id)
    own = policy.whole([charge for charge in charges if charge.owner == person.id], period)
    whole = policy.whole(charges, period)

    def used_up(of_budget: Micros | None, spent: Spent, whose: Scope) -> datetime | None:
        if of_budget is None or whose not in rates:
            return None
        return used_up_at(of_budget, spent.amount, rates[whose], now, zone)

    return SpendReport(
        scope=scope,
        period=period,
        own=own,
        whole=whole,
        own_budget=own_budget,
        budget=budget,
        own_used_up_at=used_up(own_budget, own, own_scope),
        used_up_at=used_up(budget, whole, scope),
        rows_of=chosen,
        rows=tuple(SpendRow(key=key, spent=spent[key]) for key in shown),
        rest=sum((spent[key] for key in keys[MOST_ROWS:]), start=Spent()) if keys[MOST_ROWS:] else None,
        left_out=len(keys) - len(shown),
        sees_use=chosen is RowsOf.PROJECTS or scope == own_scope or is_approver_or_admin(person, rules),
        points=points(days_of(charges, period, now, zone)),
        forecast=forecast,
        unmanaged_count=unmanaged_count,
        names=names,
        rentals={rental_id: rentals[rental_id] for rental_id in shown if rental_id in rentals},
        chooses_rows=scope.kind is ScopeKind.TEAM and sees_spend_of_people(person, rules),
        file=scope if sees_spend_of_people(person, rules) else own_scope,
    )


async def month_of_owner(deps: Deps, person: Person, rental_id: str) -> OwnerMonth:
    """Return the spending of a rental's owner in this month, and the use of their machines.

    Raises Refused unless the person is an approver or an admin, and TooLate if the rental is unknown.
    """
    rules, now = deps.rules, deps.clock.now()
    if not is_approver_or_admin(person, rules):
        raise Refused("Only approvers and admins can see what a person has spent and how much of it was idle.")
    month = month_of(now, rules.billing_zone)
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise TooLate(f"The request {rental_id} no longer exists.")
        charges = await charges_of_months(tx, rules, {month}, now, owner=rental.owner)
        names = await tx.people.names({rental.owner})
    return OwnerMonth(
        owner=rental.owner,
        name=names.get(rental.owner, rental.owner),
        month=month,
        spent=policy.whole(charges, period_of(month, now, rules.billing_zone)),
    )


_KEYS = {
    RowsOf.PEOPLE: lambda charge: charge.owner,
    RowsOf.PROJECTS: lambda charge: charge.project,
    RowsOf.RENTALS: lambda charge: charge.rental_id,
}


def _known(scope: Scope, rules: Rules, charges: Sequence[Charge]) -> Scope:
    """Return the scope, with the name of its project spelled exactly as it is stored."""
    if scope.kind is not ScopeKind.PROJECT:
        return scope
    names = [*rules.projects, UNASSIGNED, *sorted({charge.project for charge in charges})]
    found = next((name for name in names if name.lower() == scope.name.lower()), None)
    if found is None:
        known = ", ".join(dict.fromkeys(names))
        raise Mistake(f"I don't know that project. The projects are: {known}.")
    return Scope(kind=ScopeKind.PROJECT, name=found)


def _is_of(charge: Charge, scope: Scope) -> bool:
    match scope.kind:
        case ScopeKind.PERSON:
            return charge.owner == scope.name
        case ScopeKind.PROJECT:
            return charge.project == scope.name
        case ScopeKind.TEAM:
            return True


def _rows_of(person: Person, scope: Scope, rules: Rules, asked: RowsOf | None) -> RowsOf:
    if scope.kind is ScopeKind.PERSON:
        return RowsOf.RENTALS
    people = sees_spend_of_people(person, rules) and asked is not RowsOf.PROJECTS
    return RowsOf.PEOPLE if people else RowsOf.PROJECTS


def _budgets(person: Person, scope: Scope, rules: Rules) -> tuple[Micros | None, Micros | None]:
    """Return the budget of `person` and the budget of `scope`. None for a budget that doesn't apply."""
    own = budget_of(Scope(kind=ScopeKind.PERSON, name=person.id), rules)
    return own if scope in {TEAM, Scope(kind=ScopeKind.PERSON, name=person.id)} else None, budget_of(scope, rules)


# --- the file of a month


async def ask_for_file(deps: Deps, person: Person, part: MonthPart) -> None:
    """Send the file of a month's charges to the person's direct messages, unless it is already on its way.

    The file contains everybody's charges if the person is allowed to see them, and otherwise only the person's
    own. Raises Refused if the person isn't allowed to see any charges.
    """
    check_reads_spend(person, deps.rules)
    async with deps.store.write() as tx:
        if not await tx.messages.file_waits(to_person(person.id), part):
            # The message stores no file. When the message is sent, the file is created with the charges that the
            # person may see at that time.
            message = queued(MessageKind.FILE, to_person(person.id), deps.clock.real(), charges_of=part)
            await tx.messages.add(message)


async def file_for(tx: Tx, deps: Deps, reader: Person, part: MonthPart, *, as_finance: bool = False) -> MonthFile:
    """Return a file with the charges that its reader is allowed to see now.

    `as_finance` is True if the reader gets the file as a member of finance. The file then contains everybody's
    charges. The membership isn't checked again here.
    """
    everything = as_finance or sees_spend_of_people(reader, deps.rules)
    readable_of = None if everything else reader.id
    return await month_file(tx, deps.rules, deps.clock.now(), part, readable_of=readable_of)
