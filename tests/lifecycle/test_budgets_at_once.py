"""Forty people click at the same moment, and a budget has headroom for ten of them: exactly ten rent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.errors import GpubotError, OverBudget, StoreBusy
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.renting import Rent
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import correct
from bot.model.base import changed
from bot.model.budget import TEAM, Scope, ScopeKind
from bot.model.money import cost_at_most, whole_cents_below
from bot.model.person import Key, Person
from bot.policy.team.rules import AutoApprove, Budgets, Limits, Project, Rules, WhenOver
from store.db import Database
from tests.databases import START
from tests.store import make

CLICKS, FIT = 40, 10
RATE = Decimal("2.15")
LEASE = timedelta(hours=4)
ROOMY = Limits(per_person_rentals=CLICKS, team_per_hour=Decimal(100_000))
RULES = Rules(
    admins=("U0ADMIN",),
    home_channel=make.HOME,
    limits=ROOMY,
    auto_approve=AutoApprove(per_hour=Decimal(100), total=Decimal(1000)),
)
HIGHEST = whole_cents_below(RATE * (1 + RULES.procure.dearer))
TOTAL = cost_at_most(HIGHEST, LEASE + RULES.procure.provision_timeout + RULES.lease.grace)
BUDGET = Decimal(TOTAL * FIT).scaleb(-6)


async def clicks(deps: Deps, owners: list[str]) -> list[object]:
    """Let each owner rent from their own quote, all at once. Return the result of each click."""
    async with deps.store.write() as tx:
        for owner in dict.fromkeys(owners):
            await tx.people.put(Person(id=owner, name=owner), START)
            await tx.people.add_key(owner, Key(line="ssh-ed25519 A", comment="", fingerprint="F"))
        for n, owner in enumerate(owners):
            offer = make.offer(f"o{n}", rate=RATE, expires_at=deps.clock.now() + timedelta(minutes=30))
            await tx.quotes.add(make.quote(f"q{n}", owner=owner, project="vision", offers=(offer,)))
    people = [Person(id=owner, name=owner) for owner in owners]

    async def click(n: int, person: Person) -> object:
        while True:
            try:
                return (await carry_out(deps, person, Rent(f"q{n}", f"o{n}", another=True))).rental
            except StoreBusy:  # too many clicks wait on a slow machine: the person clicks again
                continue

    return await asyncio.gather(*(click(n, one) for n, one in enumerate(people)), return_exceptions=True)


@pytest.mark.parametrize(
    ("kind", "across"), [*((kind, True) for kind in ScopeKind), (ScopeKind.TEAM, False)], ids=str
)
async def test_exactly_as_many_people_rent_as_the_budget_allows(
    database: Database, clock: MovedClock, kind: ScopeKind, across: bool
) -> None:
    budgets: dict[ScopeKind, dict[str, Any]] = {
        ScopeKind.TEAM: {"budgets": Budgets(team=BUDGET, over=WhenOver.REFUSE)},
        ScopeKind.PERSON: {"budgets": Budgets(person=BUDGET, over=WhenOver.REFUSE)},
        ScopeKind.PROJECT: {
            "budgets": Budgets(over=WhenOver.REFUSE),
            "projects": {"vision": Project(budget=BUDGET)},
        },
    }
    if across:
        clock.put(START.replace(day=31, hour=22))
    deps = Deps(store=database, clock=clock, rules=changed(RULES, **budgets[kind]))
    owners = ["U0ANA"] * CLICKS if kind is ScopeKind.PERSON else [f"U0P{n}" for n in range(CLICKS)]
    answers = await clicks(deps, owners)
    refused = [answer for answer in answers if isinstance(answer, GpubotError)]
    assert {type(answer) for answer in refused} == {OverBudget}, refused[:2]
    assert len(answers) - len(refused) == FIT
    names = {ScopeKind.PERSON: "U0ANA", ScopeKind.PROJECT: "vision"}
    scopes = [Scope(kind=kind, name=names[kind]), TEAM] if kind in names else [TEAM]
    async with database.write() as tx:
        for month in ("2025-03", "2025-04") if across else ("2025-03",):
            balances = await tx.budgets.balances(month, scopes)
            assert [(one.reserved, one.spent) for one in balances] == [(TOTAL * FIT, 0)] * len(scopes)
        assert await correct(tx) == 0
