"""Assembles a person's Home tab."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from bot.lifecycle.actions.queries import live_rentals
from bot.lifecycle.actions.tokens import summaries, to_decide
from bot.lifecycle.actions.waiting import waiting_of
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import live_charges
from bot.lifecycle.money.spend import charges_of_months
from bot.model.budget import TEAM, Month, Scope, ScopeKind
from bot.model.person import Person
from bot.model.state import State
from bot.model.summary import HomeView, TeamMonth
from bot.policy.buying.budgets import budget_of, demands
from bot.policy.buying.months import month_of
from bot.policy.team.roles import check_user, is_approver_or_admin, may_use
from bot.policy.team.rules import Rules
from store.db import Tx

ROWS = 10
"""The number of rentals on a page."""


async def opened(deps: Deps, person_id: str, shown: str) -> None:
    """Publish a person's Home tab now, and again whenever something on it changes.

    `shown` is a hash of the content that Slack shows now. If this content is up to date, nothing is published. The
    caller has looked the person up in Slack. Raises StoreBusy if the store doesn't accept the change.
    """
    async with deps.store.write() as tx:
        await tx.messages.open_home(person_id, shown)


async def turn_page(deps: Deps, person: Person, page: int) -> None:
    """Show another page of the person's rentals in their Home tab. Pages are counted from 0.

    Raises Refused if they aren't allowed to use the bot.
    """
    check_user(person, deps.rules)
    async with deps.store.write() as tx:
        await tx.messages.turn_home(person.id, page)


async def home_for(deps: Deps, person: Person, page: int) -> HomeView | None:
    """Return the content of the person's Home tab, or None if they aren't allowed to use the bot.

    `page` is the page of rentals to show, counted from 0. If that page is empty, the first one is shown.
    """
    rules, now = deps.rules, deps.clock.now()
    if not may_use(person, rules):
        return None
    waits = tuple(await waiting_of(deps, person))
    # `waits` already contains the rentals that wait for an offer. Leave them out of the other list, so that the
    # tab doesn't show them twice.
    queued = {one.rental.id for one in waits if one.rental is not None and one.rental.state is State.QUEUED}
    rentals = partial(live_rentals, deps, person, everyone=False, most=ROWS, without=queued, with_waiting=True)
    live = await rentals(skip=page * ROWS)
    if page and not live.shown:
        page, live = 0, await rentals()
    month = month_of(now, rules.billing_zone)
    projects = {one.rental.project for one in live.shown if one.rental.owner == person.id}
    projects |= {name for name, project in rules.projects.items() if person.id in project.people}
    scopes = [
        Scope(kind=ScopeKind.PERSON, name=person.id),
        *(Scope(kind=ScopeKind.PROJECT, name=name) for name in sorted(projects)),
    ]
    async with deps.store.read() as tx:
        charges = await charges_of_months(tx, rules, {month}, now, owner=person.id)
        with_budget = [scope for scope in scopes if budget_of(scope, rules) is not None]
        balances = await tx.budgets.balances(month, with_budget) if with_budget else []
        keys = tuple(await tx.people.keys(person.id))
        tokens = tuple(await summaries(tx, deps, await tx.tokens.live(person.id)))
        asked = tuple(await to_decide(tx, deps, person)) if is_approver_or_admin(person, rules) else ()
        team_month = await _team_month(tx, rules, month, now) if is_approver_or_admin(person, rules) else None
    return HomeView(
        live=live,
        page=page,
        waits=waits,
        month=month,
        spent=sum(charge.amount for charge in charges),
        budgets=demands({}, balances, rules),
        keys=keys,
        tokens=tokens,
        tokens_to_decide=asked,
        team_month=team_month,
    )


async def _team_month(tx: Tx, rules: Rules, month: Month, now: datetime) -> TeamMonth:
    """Return the team's spending in the current month, and the balance of each budget.

    The stored balance contains everything that was charged. So only the cost of machines that are still being
    billed has to be computed each time.
    """
    scopes = (TEAM, *(Scope(kind=ScopeKind.PROJECT, name=name) for name in rules.projects))
    balances = await tx.budgets.balances(month, scopes)
    live = await live_charges(tx, rules, now)
    charged = sum(balance.spent for balance in balances if balance.scope == TEAM)
    return TeamMonth(
        spent=charged + sum(charge.amount for charge in live if charge.month == month),
        budgets=demands({}, balances, rules),
    )
