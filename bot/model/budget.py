"""Projects and budgets: the money that people, projects and the team spend or reserve in each month."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bot.model.base import Frozen, Instant, Summed
from bot.model.money import Micros

UNASSIGNED = "unassigned"
"""The project of rentals that belong to no project of the policy."""

Month = str
"""A calendar month in the policy's `billing.timezone`, such as `2026-11`. Months sort correctly as text."""


class ScopeKind(StrEnum):
    """The kinds of scopes. A scope is a person, a project or the whole team, and can have a budget."""

    PERSON = "person"
    PROJECT = "project"
    TEAM = "team"


class Scope(Frozen):
    """A person, a project, or the whole team."""

    kind: ScopeKind
    name: str = ""
    """The Slack ID of a person, or the name of a project. Empty for the team."""


TEAM = Scope(kind=ScopeKind.TEAM)


def scopes_of(owner: str, project: str) -> tuple[Scope, ...]:
    """Return the scopes to which a rental is charged: the rental's owner, its project and the team."""
    return (
        Scope(kind=ScopeKind.PERSON, name=owner),
        Scope(kind=ScopeKind.PROJECT, name=project),
        TEAM,
    )


class MonthPart(Frozen):
    """The month and the scope of a CSV file with charges. The scope is a person, a project or the team."""

    month: Month
    scope: Scope = TEAM

    @property
    def project(self) -> str | None:
        """The name of the project. None if the charges are those of a person or of the team."""
        return self.scope.name if self.scope.kind is ScopeKind.PROJECT else None


class Balance(Frozen):
    """The money that a person, a project or the team has spent and reserved in a month."""

    scope: Scope
    month: Month
    reserved: Micros = 0
    """The most that the rentals can still cost in this month. They have reserved this amount."""
    spent: Micros = 0
    """The amount that was charged to this month."""
    late: Micros = 0
    """The part of `spent` that vendors billed after the bot had requested the deletion."""
    alerted: int = 0
    """The highest alert threshold for which an alert was sent, in percent of the budget. 0 if none was sent."""
    alert_due_at: Instant | None = None
    """The time of the next check of a pending budget alert. None if no alert is pending.

    An alert is pending if the spent money alone doesn't reach the threshold, but the spent and the reserved money
    together do. The rentals may soon need less than they reserved, so the alert isn't sent at once.
    """
    alert_to: str | None = None
    """The Slack ID of the person who gets the pending alert in addition to the approvers' channel."""


class Demand(Frozen):
    """An additional amount that a budget would have to cover in one month."""

    balance: Balance
    """The balance without the additional amount."""
    budget: Micros
    more: Micros
    """The additional amount."""
    used_up_at: Instant | None = None
    """The time at which the budget will be used up at today's rate (see `used_up_at` in bot/policy).

    None if that won't happen this month, or if nobody calculated it.
    """

    @property
    def free(self) -> Micros:
        """The amount that is left in the budget, at least zero."""
        return max(self.budget - self.balance.reserved - self.balance.spent, 0)

    @property
    def passes(self) -> bool:
        """True if the additional amount is larger than what is left in the budget.

        False if the additional amount is zero, even if the budget is already exceeded.
        """
        return self.more > 0 and self.balance.reserved + self.balance.spent + self.more > self.budget


class Reservation(Frozen):
    """The amount that a rental reserves in one month, in the budgets of its owner, its project and the team.

    If the machine changes its owner, each of the owners has a reservation.
    """

    rental_id: str
    month: Month
    owner: str
    project: str
    amount: Micros


class UseCosts(Summed):
    """The cost of a machine in micro-dollars, split into four parts by the usage status of the machine."""

    used: Micros = 0
    connected: Micros = 0
    """The amount billed while somebody was connected but no GPU was computing."""
    idle: Micros = 0
    unknown: Micros = 0
    """The amount billed for periods in which nobody knows how the machine was used.

    This is the time before the machine was ready, the time during its deletion, and any time without samples.
    """

    @property
    def known(self) -> bool:
        """True if at least one of `used`, `connected` and `idle` isn't zero."""
        return bool(self.used or self.connected or self.idle)


class Charge(Frozen):
    """The part of a ledger row that falls into one month and belongs to one owner.

    A ledger row is only written when a machine is terminated. For reports, charges are also computed for machines
    that still cost money.
    """

    resource_id: str
    n: int
    """The number of the ledger row: `LedgerRow.n`."""
    started_at: Instant
    ended_at: Instant
    rental_id: str
    month: Month
    """The month whose spend reports and CSV file contain the charge.

    Normally that is the month in which the cost was billed. For a correction, it is a later month.
    """
    owner: str
    project: str
    gpus: int
    rate: Decimal
    """USD per hour for the whole machine."""
    amount: Micros
    """The billed amount: the sum of the next four fields."""
    used: Micros = 0
    connected: Micros = 0
    """The amount billed while somebody was connected but no GPU was computing."""
    idle: Micros = 0
    unknown: Micros = 0
    """The amount billed for periods in which nobody knows how the machine was used."""
    late: Micros = 0
    """The part of the amount that was billed after the bot had requested the deletion."""
    estimated: bool = False
    """True if the amount is the bot's estimate, because the API left out a time or the price."""
    correction: bool = False
    """True if the charge was found only after the CSV file of its original month had been completed."""


class ChargedMachine(Frozen):
    """The machine that a charge is for, as described in a CSV file of charges."""

    vendor: str
    """The vendor's name. Empty if the API didn't report it."""
    region: str
    """The vendor's region. Empty if it isn't known."""
    gpu: str
    """The GPU's canonical name."""
    contract: str
    name: str
    """The machine's name at the marketplace. Empty if it has none."""
    channel: str
    """The Slack ID of the channel that contains the rental's card.

    If the card is in a person's direct messages, this is the ID of that person.
    """
