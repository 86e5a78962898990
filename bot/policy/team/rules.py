"""The team's rules: the keys of the file that `GPUBOT_POLICY` names, and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from bot.model.base import Frozen
from bot.policy.team.rule_values import (
    BudgetDollars,
    ChannelId,
    Count,
    DayTimes,
    Dollars,
    Flag,
    GroupId,
    Label,
    ProjectName,
    Share,
    Span,
    UserId,
    UserOrGroupId,
    Weekdays,
    WeekTime,
    Zone,
)

LONGEST_IDLE = timedelta(hours=24)
"""How far back a verdict may look at most: each visit reads all samples of that time."""
LEAST_LEASE = timedelta(minutes=1)
"""The shortest lease that a person can ask for."""
LEAST_RETENTION = {"messages": timedelta(days=7), "quotes": timedelta(days=1), "people": timedelta(days=7)}
"""The shortest times of `Retention`. A click without a key counts for a day, Slack may be away for some days, and
somebody may be deactivated by mistake."""


class Approvers(Frozen):
    """Who decides requests over `auto_approve`. If it names nobody, the admins decide."""

    people: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    quiet: tuple[UserId, ...] = ()
    """Approvers who may decide, and are never mentioned or reminded."""


class Finance(Frozen):
    """Who reads the spend of everybody, and gets the month's file."""

    people: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()


class Access(Frozen):
    """Who may use the bot, and where. Empty means every full member, and every channel."""

    channels: tuple[ChannelId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    guests: Flag = False


class AutoApprove(Frozen):
    """People rent without an approver up to both limits: USD per hour, and USD in total."""

    per_hour: Dollars = Decimal("10.00")
    total: Dollars = Decimal("100.00")


class Limits(Frozen):
    """Requests beyond these are refused; no approver can allow them."""

    per_rental_gpus: Count = Field(default=8, le=10_000)
    per_person_rentals: Count = Field(default=4, le=10_000)
    team_per_hour: Dollars = Decimal("100.00")


class Project(Frozen):
    """What rentals of a project's channels and people are charged to."""

    channels: tuple[ChannelId, ...] = ()
    """Requests that are asked in these channels belong to the project."""
    people: tuple[UserId, ...] = ()
    """Who may name the project. Empty: everyone."""
    budget: BudgetDollars | None = None
    """USD for each month of `billing.timezone`. None: no budget."""
    cost_center: Label = ""
    auto_approve: AutoApprove | None = None
    """The project's own limits. None: those of the team."""


class WhenOver(StrEnum):
    """What happens to a rental that a budget doesn't hold."""

    APPROVER = "approver"
    """An approver decides."""
    REFUSE = "refuse"
    """It is refused."""


class Budgets(Frozen):
    """USD for each month of `billing.timezone`. None: no budget."""

    team: BudgetDollars | None = None
    person: BudgetDollars | None = None
    """For each person."""
    alerts: tuple[Share, ...] = (Decimal("0.8"), Decimal(1))
    """At which parts of a budget people are notified, lowest first."""
    over: WhenOver = WhenOver.APPROVER
    unusual_from: Dollars = Decimal("100.00")
    """A day that costs less is not reported as unusual."""

    @field_validator("alerts")
    @classmethod
    def _lowest_first(cls, value: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        if any(share <= 0 or share * 100 % 1 for share in value):
            raise ValueError("write whole percentages of more than 0%, such as 80%")
        return tuple(sorted(set(value)))


class Bill(Frozen):
    """How the marketplace's invoice is addressed and cut."""

    account: Label = "compute-clear"
    timezone: Zone = "UTC"
    """The time zone of the invoice's months."""


class Approval(Frozen):
    expires: Span = timedelta(hours=8)
    remind: Span = timedelta(hours=1)
    """How long a request waits, in hours of its approvers, before they are reminded."""
    then: tuple[UserOrGroupId, ...] = ()
    """The people and groups who are asked next."""
    then_after: Span = timedelta(hours=4)
    """How long a request waits before they are."""

    @property
    def then_groups(self) -> tuple[str, ...]:
        """The groups in `then`."""
        return tuple(one for one in self.then if one.startswith("S"))


class Procure(Frozen):
    attempts: Count = Field(default=10, le=100)
    dearer: Share = Decimal("0.15")
    """How much more than the clicked offer another offer may cost."""
    provision_timeout: Span = timedelta(minutes=15)


class Lease(Frozen):
    default: Span = timedelta(hours=4)
    max: Span = timedelta(hours=72)
    notices: tuple[Span, ...] | None = None
    """How long before the end of every lease its owner is notified, longest first. None: as
    `bot.policy.use.end_notices` says, by the lease's length."""
    grace: Span = timedelta(minutes=15)

    @field_validator("notices")
    @classmethod
    def _longest_first(cls, value: tuple[timedelta, ...] | None) -> tuple[timedelta, ...] | None:
        return None if value is None else tuple(sorted(set(value), reverse=True))

    @model_validator(mode="after")
    def _lengths_fit(self) -> Lease:
        if self.max < LEAST_LEASE:
            raise ValueError("max is less than 1m; nobody could rent anything")
        if self.default > self.max:
            raise ValueError("default is longer than max; who names no hours could rent nothing")
        if self.grace > self.max:
            raise ValueError("grace is longer than max; machines would run on for longer than they were rented")
        return self


class Keys(Frozen):
    per_person: Count = Field(default=10, le=100)
    """How many SSH keys a person may have."""
    github: Flag = True
    """Whether people may take their keys from GitHub."""


class CheckIn(Frozen):
    after: Span | None = timedelta(hours=2)
    """None: "Still needed?" is never asked."""


class Hours(Frozen):
    """When people are asked, in their own time zone."""

    time: DayTimes = (8 * 60, 20 * 60)
    days: Weekdays = frozenset(range(5))

    @property
    def always(self) -> bool:
        """Whether they are the whole week."""
        return self.time == (0, 24 * 60) and len(self.days) == 7


class ProbeKind(StrEnum):
    """How the bot sees whether a machine is used."""

    SSH = "ssh"
    NONE = "none"


class Idle(Frozen):
    """When a machine counts as idle, who is asked about it, and when."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    probe: ProbeKind = ProbeKind.SSH
    gpu_below: Share = Field(default=Decimal("0.05"), gt=0)
    """A GPU counts as used if one reading of its utilization is at least this. With 0 %, every GPU would."""
    after: Span = timedelta(minutes=30)
    """How long nothing of a machine is used before it counts as idle or connected."""
    never_used: Span = timedelta(hours=1)
    """As `after`, for a machine that was never used."""
    connected: Span = timedelta(hours=2)
    """How long a machine is connected without computing before its owner is asked."""
    ask_from: Dollars = Field(default=Decimal("2.00"), alias="from")
    """How many USD a machine costs while idle before its owner is asked."""
    again: tuple[Span, ...] = (timedelta(hours=2), timedelta(hours=4), timedelta(hours=8))
    """How long after each question about one spell the next one is asked. The last span repeats."""
    urgent_per_hour: Dollars = Decimal("10.00")
    """From this price on, USD per hour, questions don't wait for the owner's hours."""
    channel_after: Span | None = timedelta(hours=2)
    """How long after the question the card says it too. None: never."""
    approvers_after: Span = timedelta(hours=4)
    """How long after the question the approvers are notified. At most an hour for urgent machines."""

    @field_validator("after", "never_used")
    @classmethod
    def _at_most_a_day(cls, value: timedelta) -> timedelta:
        if value > LONGEST_IDLE:
            raise ValueError(
                f"it must be at most {LONGEST_IDLE // timedelta(hours=1)}h; readings are kept for 2 days"
            )
        return value


class ReadyAnnouncement(StrEnum):
    """How a card's thread announces that a machine is ready."""

    THREAD_BROADCAST = "thread_broadcast"
    THREAD = "thread"


class Announce(Frozen):
    ready: ReadyAnnouncement = ReadyAnnouncement.THREAD_BROADCAST
    address_in_channel: Flag = False


class Retention(Frozen):
    """How long the store keeps what nobody works with any more."""

    messages: Span = timedelta(days=90)
    """Messages that are never edited again, from when they were queued. Those of a rental: also from its end."""
    quotes: Span = timedelta(days=7)
    """Searches that made no rental, and the offers of those that did."""
    people: Span = timedelta(days=90)
    """Names and keys of people who left the workspace."""

    @field_validator("messages", "quotes", "people")
    @classmethod
    def _long_enough(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        least = LEAST_RETENTION[info.field_name or ""]
        if value < least:
            raise ValueError(f"it must be at least {least.days}d")
        return value


class Waiting(Frozen):
    """How long people may wait for offers, and how often the market is asked for them."""

    per_person: Count = Field(default=3, le=100)
    """How many wishes a person may have at the same time."""
    longest: Span = timedelta(days=7)
    every: Span = timedelta(seconds=60)
    """How often the market is asked for equal wishes, at most."""


class Rules(Frozen):
    """All rules. Every key of the file has a default."""

    timezone: Zone = "UTC"
    admins: tuple[UserId, ...] = ()
    """The admins that the file names, and those of GPUBOT_ADMINS."""
    approvers: Approvers = Approvers()
    approvals_channel: ChannelId | None = None
    use: Access = Access()
    auto_approve: AutoApprove = AutoApprove()
    limits: Limits = Limits()
    self_approval: Flag = False
    approval: Approval = Approval()
    procure: Procure = Procure()
    lease: Lease = Lease()
    keys: Keys = Keys()
    check_in: CheckIn = CheckIn()
    hours: Hours = Hours()
    idle: Idle = Idle()
    announce: Announce = Announce()
    projects: Mapping[ProjectName, Project] = Field(default_factory=dict)
    budgets: Budgets = Budgets()
    billing: Bill = Bill()
    finance: Finance = Finance()
    digest: WeekTime | None = None
    """When the home channel gets the week's spend, in `timezone`. None: never."""
    retention: Retention = Retention()
    waiting: Waiting = Waiting()
    setup: Mapping[str, str] = Field(default_factory=dict)
    """The text of each setup script by its name. The file has the paths of the scripts."""
    home_channel: ChannelId = "C0"
    """GPUBOT_CHANNEL; not a key of the file."""

    @field_validator("projects")
    @classmethod
    def _one_project_for_a_channel(cls, value: Mapping[str, Project]) -> Mapping[str, Project]:
        of: dict[str, str] = {}
        wrong: list[InitErrorDetails] = []
        for name, project in value.items():
            for n, channel in enumerate(project.channels):
                if channel in of:
                    why = {"why": f"{channel} is in {of[channel]} too; leave it in one project"}
                    error = PydanticCustomError("channel_of_two", "{why}", why)
                    wrong.append(InitErrorDetails(type=error, loc=(name, "channels", n), input=channel))
                of.setdefault(channel, name)
        if wrong:
            raise ValidationError.from_exception_data("projects", wrong)
        return value

    @property
    def billing_zone(self) -> ZoneInfo:
        """Return the time zone of budgets, reports and files."""
        return ZoneInfo(self.billing.timezone)

    @property
    def groups(self) -> frozenset[str]:
        """Return the user groups whose members the bot must know."""
        named = self.approvers.groups + self.use.groups + self.finance.groups
        return frozenset(named + self.approval.then_groups)

    @property
    def approvals_to(self) -> str:
        """Return the channel that approvals are asked in."""
        return self.approvals_channel or self.home_channel
