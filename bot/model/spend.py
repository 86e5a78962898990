"""The spending of a period, as shown by `/gpu spend` and the weekly digest."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from bot.model.base import Frozen, Instant, Summed
from bot.model.budget import Month, Scope, UseCosts
from bot.model.money import Micros
from bot.model.rental import Rental


class PeriodKind(StrEnum):
    """The kinds of periods for which people can request a spend report."""

    TODAY = "today"
    WEEK = "week"
    """The current week: from Monday until now."""
    MONTH = "month"


class Period(Frozen):
    """A range of days in the policy's `billing.timezone`. No period begins in the future."""

    kind: PeriodKind
    month: Month
    """The month, if the period is a month. Otherwise, the month that contains today."""
    start: Instant
    end: Instant
    """The first moment after the period, even if it is still to come."""
    running: bool
    """True if the period isn't over yet."""

    @property
    def words(self) -> str:
        """The text that people type for the period: `today`, `week` or `2026-11`."""
        return self.month if self.kind is PeriodKind.MONTH else self.kind


class RowsOf(StrEnum):
    """The subject of each row in a spend report: a person, a project or a rental."""

    PEOPLE = "people"
    PROJECTS = "projects"
    RENTALS = "rentals"


class Spent(Summed):
    """An amount that was charged, split by the usage status of the machines."""

    rentals: int = 0
    gpu_time: timedelta = timedelta()
    """The time of each machine multiplied by the number of its GPUs."""
    use: UseCosts = UseCosts()
    late: Micros = 0
    """The part of the amount that was billed after the bot had requested the deletion."""
    estimated: Micros = 0
    """The part of the amount that is the bot's estimate, because the API left out a time or the price."""

    @property
    def amount(self) -> Micros:
        """The total amount that was charged."""
        return self.use.used + self.use.connected + self.use.idle + self.use.unknown


class SpendRow(Frozen):
    """The amount charged to one person, project or rental."""

    key: str
    """A Slack ID, the name of a project, or the ID of a rental."""
    spent: Spent


class SpendPoint(Frozen):
    """The cost of one day, or of several days of one week."""

    first: date
    last: date
    amount: Micros


class ProjectWeek(Frozen):
    """The amount charged to a project in a week, and the project's rentals that are running now."""

    project: str
    spent: Spent = Spent()
    running: int = 0
    """The number of the project's rentals that are running now."""
    rate: Decimal = Decimal(0)
    """The combined price of these running rentals, in USD per hour."""
    not_confirmed: int = 0
    """The number of the project's rentals that are being destroyed and may still cost money."""


class Digest(Frozen):
    """The weekly summary that the home channel receives."""

    first: date
    """The first day of the week, in the policy's `timezone`."""
    last: date
    projects: tuple[ProjectWeek, ...]
    """The projects with charges in the week or with running rentals, most expensive first."""
    month: Month
    """The month in which the digest was made."""
    forecast: Micros | None = None
    """The expected total cost of that month at the current rate. None if too little is known yet."""

    @property
    def spent(self) -> Spent:
        """The amount charged to the whole team in the week: the sum of all projects."""
        return sum((one.spent for one in self.projects), start=Spent())

    @property
    def running(self) -> int:
        return sum(one.running for one in self.projects)

    @property
    def rate(self) -> Decimal:
        """The combined price of all running rentals, in USD per hour."""
        return sum((one.rate for one in self.projects), start=Decimal(0))

    @property
    def not_confirmed(self) -> int:
        """The number of rentals that are being destroyed."""
        return sum(one.not_confirmed for one in self.projects)


class OwnerMonth(Frozen):
    """A rental owner's spending in this month, shown to the person who decides about the rental."""

    owner: str
    """Slack ID."""
    name: str
    month: Month
    spent: Spent
    """The cost of the owner's machines until now, as billed."""


class SpendReport(Frozen):
    """The answer to `/gpu spend`, with everything that its reader is allowed to see."""

    scope: Scope
    period: Period
    own: Spent
    """The reader's own part of the spending in the report."""
    whole: Spent
    own_budget: Micros | None = None
    """The reader's budget for this month. None if the reader has none, or if the report is about another period.
    """
    budget: Micros | None = None
    """The budget of the team, project or person in the report.

    None if they have no budget for this month, or if the report is about another period.
    """
    own_used_up_at: Instant | None = None
    """The time at which the reader's budget will be used up at today's rate. None if the month ends first."""
    used_up_at: Instant | None = None
    """The time at which `budget` will be used up at today's rate. None if the month ends first."""
    rows_of: RowsOf
    rows: tuple[SpendRow, ...]
    """The rows of the report, most expensive first."""
    rest: Spent | None = None
    """The sum of the rows that are left out. None if no rows are left out."""
    left_out: int = 0
    """The number of rows that are left out."""
    sees_use: bool
    """True if the reader is allowed to see how the machines in each row were used."""
    points: tuple[SpendPoint, ...]
    """The cost of each day or week until now, oldest first."""
    forecast: Micros | None = None
    """The expected total cost of the month at the current rate. None if it is over or too little is known yet."""
    unmanaged_count: int = 0
    """The number of unmanaged machines that are running now. The vendor's invoice includes them as well."""
    names: dict[str, str]
    """The display names of the people in the rows, by user ID."""
    rentals: dict[str, Rental]
    """The rentals in the rows, by ID. Empty if the rows are about something else."""
    chooses_rows: bool
    """True if the reader can switch between people and projects."""
    file: Scope
    """The person, project or team whose charges in the month the reader can download as a CSV file."""
