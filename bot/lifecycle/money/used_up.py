"""Finds out when budgets will be used up at today's rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bot.lifecycle.money.budgets import live_charges
from bot.model.base import changed
from bot.model.budget import Demand, Scope, scopes_of
from bot.model.facts import BudgetAlertFacts
from bot.model.money import Micros
from bot.policy.buying.budgets import used_up_at
from bot.policy.buying.months import month_of
from bot.policy.team.rules import Rules
from store.db import Tx


async def rates_now(tx: Tx) -> Mapping[Scope, Decimal]:
    """Return the sum of the hourly prices of the machines that run now, for each scope that they are charged to.

    A scope is a person, a project or the team. Prices are in USD. A scope without machines has a price of zero.
    """
    rates: defaultdict[Scope, Decimal] = defaultdict(Decimal)
    for one in await tx.rentals.charged_rates():
        for scope in scopes_of(one.owner, one.project):
            rates[scope] += one.rate
    return rates


async def with_used_up_at(tx: Tx, rules: Rules, demands: Sequence[Demand], now: datetime) -> tuple[Demand, ...]:
    """Add to each demand the time at which its budget will be used up at today's rate.

    A demand is an additional amount that a budget would have to cover in one month. Demands for other months than
    the current one are returned unchanged. Other asyncio tasks can run in the meantime.
    """
    month = month_of(now, rules.billing_zone)
    if not any(one.balance.month == month for one in demands):
        return tuple(demands)
    rates = await rates_now(tx)
    if not any(one.balance.scope in rates for one in demands):
        return tuple(demands)
    # A balance contains only the final cost of machines that are terminated. Add what the running machines have
    # cost so far.
    running: defaultdict[Scope, Micros] = defaultdict(int)
    for charge in await live_charges(tx, rules, now):
        if charge.month == month:
            for scope in scopes_of(charge.owner, charge.project):
                running[scope] += charge.amount

    def used_up(one: Demand) -> datetime | None:
        scope = one.balance.scope
        spent = one.balance.spent + running[scope]
        return used_up_at(one.budget, spent, rates.get(scope, Decimal()), now, rules.billing_zone)

    return tuple(changed(one, used_up_at=used_up(one)) if one.balance.month == month else one for one in demands)


async def alerted_budget_used_up_at(
    tx: Tx, rules: Rules, facts: BudgetAlertFacts, now: datetime
) -> datetime | None:
    """Return the time at which the budget in an alert will be used up at today's rate.

    The balance is read again, because the alert may be sent some time after its event. None if the month ends
    first, if no machine runs, or if the budget is used up already.
    """
    (balance,) = await tx.budgets.balances(facts.balance.month, [facts.balance.scope])
    (found,) = await with_used_up_at(tx, rules, [Demand(balance=balance, budget=facts.total, more=0)], now)
    return found.used_up_at
