"""Projects and budgets: who is charged for what in which month, and what is promised to rentals."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bot.model.base import Frozen, Instant, Summed
from bot.model.money import Micros

UNASSIGNED = "unassigned"
"""The project of rentals that belong to no project of the policy."""

Month = str
"""A calendar month of the policy's `billing.timezone`, such as `2026-11`. Months sort as text."""


class ScopeKind(StrEnum):
    """Who or what a budget is for. Rows are changed in the order of these names."""

    PERSON = "person"
    PROJECT = "project"
    TEAM = "team"


class Scope(Frozen):
    """A person, a project, or the whole team."""

    kind: ScopeKind
    name: str = ""
    """The Slack id of a person, or the name of a project. Empty for the team."""


TEAM = Scope(kind=ScopeKind.TEAM)


def scopes_of(owner: str, project: str) -> tuple[Scope, ...]:
    """Return the scopes that a rental counts for: its owner, its project and the team."""
    return (
        Scope(kind=ScopeKind.PERSON, name=owner),
        Scope(kind=ScopeKind.PROJECT, name=project),
        TEAM,
    )


class MonthPart(Frozen):
    """The charges of a scope in a month: what a file is made of."""

    month: Month
    scope: Scope = TEAM

    @property
    def project(self) -> str | None:
        """Return the project whose charges these are. Return None if they are not those of a project."""
        return self.scope.name if self.scope.kind is ScopeKind.PROJECT else None


class Balance(Frozen):
    """The money of a scope in a month."""

    scope: Scope
    month: Month
    reserved: Micros = 0
    """What rentals hold: the most that they can still cost in this month."""
    spent: Micros = 0
    """What was charged to this month."""
    late: Micros = 0
    """The part of `spent` that vendors billed after the bot had asked for the deletion."""
    alerted: int = 0
    """The highest alert that was given, in percent of the budget. 0: none."""
    alert_due_at: Instant | None = None
    """When an alert is judged again that is reached only with what is reserved. None: no such alert waits."""
    alert_to: str | None = None
    """The Slack id of the person who gets that alert, in addition to the approvers' channel."""


class Demand(Frozen):
    """What something asks of a budget in one month."""

    balance: Balance
    """Without what is asked for."""
    budget: Micros
    more: Micros
    """What is asked for."""

    @property
    def free(self) -> Micros:
        """What the budget still holds, at least zero."""
        return max(self.budget - self.balance.reserved - self.balance.spent, 0)

    @property
    def passes(self) -> bool:
        """Whether the budget does not hold it. What adds nothing passes no budget."""
        return self.more > 0 and self.balance.reserved + self.balance.spent + self.more > self.budget


class Reservation(Frozen):
    """What a rental holds of the budgets of a month: those of one of its owners, its project and the team."""

    rental_id: str
    month: Month
    owner: str
    project: str
    amount: Micros


class UseCosts(Summed):
    """What an amount was billed for, in micro-dollars. The four sum to the amount."""

    used: Micros = 0
    connected: Micros = 0
    """For the time in which somebody was connected and no GPU computed."""
    idle: Micros = 0
    unknown: Micros = 0
    """For the time about which nothing is known: before ready, after the deletion began, or not seen."""

    @property
    def known(self) -> bool:
        """Whether something is known about the use."""
        return bool(self.used or self.connected or self.idle)


class Charge(Frozen):
    """The part of a ledger row that is one owner's in one month, or the same of a machine that still bills."""

    resource_id: str
    n: int
    """The number of the ledger row of its resource."""
    started_at: Instant
    ended_at: Instant
    rental_id: str
    month: Month
    """The month whose report and file have it: the one in which it was billed, or a later one for a correction."""
    owner: str
    project: str
    gpus: int
    rate: Decimal
    """USD per hour of the whole machine."""
    amount: Micros
    """What was billed: the sum of the next four."""
    used: Micros = 0
    connected: Micros = 0
    """For time in which somebody was connected and no GPU computed."""
    idle: Micros = 0
    unknown: Micros = 0
    """For time about which nothing is known."""
    late: Micros = 0
    """The part of the amount that was billed after the bot had asked for the deletion."""
    estimated: bool = False
    """Whether the amount is our estimate, because the API left out the start, the end or the price."""
    correction: bool = False
    """Whether the file of the month in which it was billed was complete before it was found."""


class ChargedMachine(Frozen):
    """The machine that a charge is for, as its row in a month's file describes it."""

    vendor: str
    """Empty if the API didn't state it."""
    region: str
    """The vendor's region. Empty if it is unknown."""
    gpu: str
    """Its canonical name."""
    contract: str
    name: str
    """Its name in the account. Empty if it has none."""
    channel: str
    """The Slack id of the channel, or the person, that has its card."""
