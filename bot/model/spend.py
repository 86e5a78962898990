"""What was spent in some days, for `/gpu spend`: in all, in rows, and by day or week."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from bot.model.base import Frozen, Instant, Summed
from bot.model.budget import Month, Scope, UseCosts
from bot.model.money import Micros
from bot.model.rental import Rental


class PeriodKind(StrEnum):
    """The kinds of periods that people ask for."""

    TODAY = "today"
    WEEK = "week"
    """From Monday on, up to now."""
    MONTH = "month"


class Period(Frozen):
    """Some days of the policy's `billing.timezone`. They are not in the future."""

    kind: PeriodKind
    month: Month
    """The month itself, or the one that today is in."""
    start: Instant
    end: Instant
    """The first moment after the period, also if that is yet to come."""
    running: bool
    """Whether the period is not over."""

    @property
    def words(self) -> str:
        """Return what people type for the period: `today`, `week` or `2026-11`."""
        return self.month if self.kind is PeriodKind.MONTH else self.kind


class RowsOf(StrEnum):
    """What the rows of a report are."""

    PEOPLE = "people"
    PROJECTS = "projects"
    RENTALS = "rentals"


class Spent(Summed):
    """What was charged to somebody or for something."""

    rentals: int = 0
    gpu_time: timedelta = timedelta()
    """The time of each machine, times the number of its GPUs."""
    use: UseCosts = UseCosts()
    late: Micros = 0
    """The part that was billed after the bot had asked for the deletion."""
    estimated: Micros = 0
    """The part that is our estimate, because the API left out the start, the end or the price."""

    @property
    def amount(self) -> Micros:
        """Return what was charged in all."""
        return self.use.used + self.use.connected + self.use.idle + self.use.unknown


class SpendRow(Frozen):
    """What was charged to one person, one project or one rental."""

    key: str
    """A Slack id, the name of a project, or the id of a rental."""
    spent: Spent


class SpendPoint(Frozen):
    """What one day, or several days of one week, cost."""

    first: date
    last: date
    amount: Micros


class ProjectWeek(Frozen):
    """What a project was charged in a week, and what runs for it now."""

    project: str
    spent: Spent = Spent()
    running: int = 0
    """How many of its rentals run now."""
    rate: Decimal = Decimal(0)
    """What they cost, USD per hour."""
    not_confirmed: int = 0
    """How many of its rentals are being destroyed. They may still bill."""


class Digest(Frozen):
    """What the home channel is told once a week."""

    first: date
    """The first day of the week, in the policy's `timezone`."""
    last: date
    projects: tuple[ProjectWeek, ...]
    """Those that were charged something in the week, or for which something runs now; the dearest first."""
    month: Month
    """The month in which the digest was made."""
    forecast: Micros | None = None
    """What that month costs in all at this rate. None if too little is known yet."""

    @property
    def spent(self) -> Spent:
        """Return what the team was charged in the week. Each rental is in one project."""
        return sum((one.spent for one in self.projects), start=Spent())

    @property
    def running(self) -> int:
        return sum(one.running for one in self.projects)

    @property
    def rate(self) -> Decimal:
        """Return what they cost, USD per hour."""
        return sum((one.rate for one in self.projects), start=Decimal(0))

    @property
    def not_confirmed(self) -> int:
        """Return how many rentals are being destroyed."""
        return sum(one.not_confirmed for one in self.projects)


class OwnerMonth(Frozen):
    """What the owner of a rental has spent in this month, for whoever decides about it."""

    owner: str
    """Slack id."""
    name: str
    month: Month
    spent: Spent
    """What the machines were billed for until now."""


class SpendReport(Frozen):
    """The answer to `/gpu spend`, with everything that its reader may see."""

    scope: Scope
    period: Period
    own: Spent
    """The reader's own, in the scope."""
    whole: Spent
    own_budget: Micros | None = None
    """What the policy allows the reader in this month. None if it names nothing, or for another period."""
    budget: Micros | None = None
    """The same for the scope."""
    rows_of: RowsOf
    rows: tuple[SpendRow, ...]
    """The dearest first."""
    rest: Spent | None = None
    """The sum of the rows that are left out, if any are. Its count of rentals is that of these rows."""
    left_out: int = 0
    """How many rows are left out."""
    sees_use: bool
    """Whether the reader may see the use of the machines in each row."""
    points: tuple[SpendPoint, ...]
    """Each day or week up to now, oldest first."""
    forecast: Micros | None = None
    """What the month costs in all at this rate. None if it is over, or if too little is known yet."""
    unmanaged_count: int = 0
    """How many machines that no rental has run now. The invoice has them too."""
    names: dict[str, str]
    """The display names of the people in the rows, by user id."""
    rentals: dict[str, Rental]
    """The rentals in the rows, by id. Empty if the rows are something else."""
    chooses_rows: bool
    """Whether the reader may choose between people and projects."""
    file: Scope
    """Whose rows the reader's file of the month may have."""
