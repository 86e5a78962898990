"""The team's rules: the keys of the policy file, and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from bot.model.base import Frozen
from bot.model.webhook import WebhookEvent, host_of
from bot.policy.team.addresses import may_be_reached
from bot.policy.team.rule_values import (
    AppId,
    BudgetDollars,
    ChannelId,
    Count,
    DayTimes,
    Dollars,
    Flag,
    GpuName,
    GroupId,
    Label,
    ProjectName,
    Share,
    Span,
    UserId,
    UserOrGroupId,
    WebhookUrl,
    Weekdays,
    WeekTime,
    Zone,
    literal_address,
)

LONGEST_IDLE = timedelta(hours=24)
"""The longest period for which the `idle` rules can require samples (the results of probe runs).

It is limited because all samples of the period are read after every probe run.
"""
LEAST_LEASE = timedelta(minutes=1)
"""The shortest lease that a person can request."""
LEAST_RETENTION = {"messages": timedelta(days=7), "quotes": timedelta(days=1), "people": timedelta(days=7)}
"""The shortest allowed values of `Retention`.

A quote contains the offers found for a request. It is needed for a day, because a person who clicked an offer can
first have to add an SSH key. Messages must outlive an outage of Slack for some days. People's data must survive if
they are deactivated by mistake.
"""


class Approvers(Frozen):
    """The people who approve or deny requests.

    If there are none, the admins do.
    """

    people: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    quiet: tuple[UserId, ...] = ()
    """Approvers who can approve or deny requests but are never mentioned or reminded."""


class Finance(Frozen):
    """The people who can see everybody's spending, and who get a CSV file of each month's charges."""

    people: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()


class Access(Frozen):
    """The people who can use the bot, and the channels in which it can be used.

    If `groups` is empty, all full members of the workspace can use the bot. If `channels` is empty, it can be used
    in all channels.
    """

    channels: tuple[ChannelId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    guests: Flag = False


class AutoApprove(Frozen):
    """The limits up to which people rent without an approver: USD per hour, and USD in total."""

    per_hour: Dollars = Decimal("10.00")
    total: Dollars = Decimal("100.00")


class Limits(Frozen):
    """The limits that nobody can exceed, not even with an approval."""

    per_rental_gpus: Count = Field(default=8, le=10_000)
    per_person_rentals: Count = Field(default=4, le=10_000)
    team_per_hour: Dollars = Decimal("100.00")


class Project(Frozen):
    """A project to which rentals can be charged, for example if they were requested in one of its channels."""

    channels: tuple[ChannelId, ...] = ()
    """The channels whose requests belong to the project."""
    people: tuple[UserId, ...] = ()
    """The people who can charge rentals to the project. Empty if everyone can."""
    budget: BudgetDollars | None = None
    """USD per month of `billing.timezone`. None for no budget."""
    cost_center: Label = ""
    auto_approve: AutoApprove | None = None
    """The project's own limits. None if the team's limits apply."""


class WhenOver(StrEnum):
    """The consequence if a rental would exceed a budget."""

    APPROVER = "approver"
    """An approver has to approve the rental."""
    REFUSE = "refuse"
    """The rental is refused."""


class Budgets(Frozen):
    """Budgets in USD per month of `billing.timezone`. None for no budget."""

    team: BudgetDollars | None = None
    person: BudgetDollars | None = None
    """The budget of each person."""
    alerts: tuple[Share, ...] = (Decimal("0.8"), Decimal(1))
    """The shares of a budget at which people are notified, lowest first."""
    over: WhenOver = WhenOver.APPROVER
    unusual_from: Dollars = Decimal("100.00")
    """USD. Days that cost less aren't reported as unusual."""

    @field_validator("alerts")
    @classmethod
    def _lowest_first(cls, value: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        if any(share <= 0 or share * 100 % 1 for share in value):
            raise ValueError("write whole percentages of more than 0%, such as 80%")
        return tuple(sorted(set(value)))


class Bill(Frozen):
    """The account name on the marketplace's invoice, and the time zone of the invoice."""

    account: Label = "compute-clear"
    timezone: Zone = "UTC"
    """The time zone in which the invoice's months begin and end."""


class Always(Frozen):
    """The requests that need an approver whatever they cost.

    A request needs one if it asks for one of `models`, or for at least `gpus_from` GPUs.
    """

    models: tuple[GpuName, ...] = ()
    """GPU families, such as `H200`, or single models, as people type them in `/gpu get`."""
    gpus_from: Count | None = Field(default=None, le=10_000)
    """The number of GPUs from which a request needs an approver. None if the number doesn't matter."""


class Approval(Frozen):
    """The rules for requests that need an approver."""

    always: Always = Always()
    expires: Span = timedelta(hours=8)
    """The time after which an undecided request expires. Only time in an approver's working hours counts."""
    remind: Span = timedelta(hours=1)
    """The time after which an approver is reminded of a request. Only time in their working hours counts."""
    then: tuple[UserOrGroupId, ...] = ()
    """The people and groups whom the bot also asks if the approvers don't decide in time."""
    then_after: Span = timedelta(hours=4)
    """The time after which the bot asks the people of `then`, if the request is still undecided."""

    @property
    def then_groups(self) -> tuple[str, ...]:
        """The user groups among `then`."""
        return tuple(one for one in self.then if one.startswith("S"))


class Procure(Frozen):
    """The rules for buying machines."""

    attempts: Count = Field(default=10, le=100)
    """The maximum number of offers that are tried for one rental."""
    dearer: Share = Decimal("0.15")
    """The amount by which another offer can be more expensive than the clicked one, as a share of its price."""
    provision_timeout: Span = timedelta(minutes=15)
    """If a machine isn't ready after this time, it is destroyed and the next offer is tried."""


class Lease(Frozen):
    """The rules for the lengths of leases, and for notices of their end."""

    default: Span = timedelta(hours=4)
    """The lease of a request that names no length."""
    max: Span = timedelta(hours=72)
    notices: tuple[Span, ...] | None = None
    """The lead times of the notices to the owner before the end of every lease, longest first.

    If None, the default times in `bot.policy.use.end_notices` apply. They depend on the length of the lease.
    """
    grace: Span = timedelta(minutes=15)
    """The grace period: the shortest time between notifying the owner of the end and destroying the machine."""

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


class WhenFailed(StrEnum):
    """The ways to treat a machine at the end of its lease if its `/root/on-ending.sh` has failed."""

    END = "end"
    """The machine is destroyed, as if the script had finished."""
    KEEP = "keep"
    """The machine keeps running until its owner's next working hours begin."""


class OnEnding(Frozen):
    """The rules for the owner's script `/root/on-ending.sh`, which runs before a machine ends."""

    failed: WhenFailed = WhenFailed.END
    """The rule for a machine whose script failed. A request can always ask to keep its machine."""


class Keys(Frozen):
    per_person: Count = Field(default=10, le=100)
    """The maximum number of SSH keys per person."""
    github: Flag = True
    """True if people can import their keys from GitHub."""


class CheckIn(Frozen):
    after: Span | None = timedelta(hours=2)
    """The time without a sign of use after which the bot asks the owner "Still needed?". None to never ask."""


class Hours(Frozen):
    """The working hours, in each person's own time zone.

    The bot asks people most questions only in these hours.
    """

    time: DayTimes = (8 * 60, 20 * 60)
    days: Weekdays = frozenset(range(5))

    @property
    def always(self) -> bool:
        """True if the working hours cover the whole week."""
        return self.time == (0, 24 * 60) and len(self.days) == 7


class ProbeKind(StrEnum):
    """The way in which the bot finds out whether a machine is used."""

    SSH = "ssh"
    NONE = "none"


class Idle(Frozen):
    """The rules for idle machines: when a machine is idle, to whom the bot sends a question, and when."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    probe: ProbeKind = ProbeKind.SSH
    gpu_below: Share = Field(default=Decimal("0.05"), gt=0)
    """The utilization at or above which a GPU is in use.

    It can't be 0%, because every GPU would then be in use.
    """
    after: Span = timedelta(minutes=30)
    """The time without use after which a machine is idle, or connected if somebody is logged in."""
    never_used: Span = timedelta(hours=1)
    """The time after becoming ready after which a machine that was never used is idle."""
    connected: Span = timedelta(hours=2)
    """The time after which the bot asks the owner of a connected machine whether it is still needed.

    Connected means that somebody is logged in but no GPU is computing.
    """
    ask_from: Dollars = Field(default=Decimal("2.00"), alias="from")
    """The amount, in USD, that idle time must have cost before the bot asks the owner about the machine."""
    job_counts: Span = timedelta(hours=4)
    """The time without work after which the bot asks the owner about a machine although a job is still running."""
    again: tuple[Span, ...] = (timedelta(hours=2), timedelta(hours=4), timedelta(hours=8))
    """The delays between the questions about one idle period, in order. The last delay repeats."""
    urgent_per_hour: Dollars = Decimal("10.00")
    """The price, in USD per hour, at or above which a machine is urgent.

    The first question about an urgent machine doesn't wait for the owner's working hours.
    """
    channel_after: Span | None = timedelta(hours=2)
    """The delay until the rental's message in the channel says that a question is unanswered.

    None if the message never says so.
    """
    approvers_after: Span = timedelta(hours=4)
    """The delay until approvers are notified of an unanswered question. At most an hour for urgent machines."""

    @field_validator("after", "never_used")
    @classmethod
    def _at_most_a_day(cls, value: timedelta) -> timedelta:
        if value > LONGEST_IDLE:
            raise ValueError(
                f"it must be at most {LONGEST_IDLE // timedelta(hours=1)}h; readings are kept for 2 days"
            )
        return value


class ReadyAnnouncement(StrEnum):
    """The ways to announce that a machine is ready: as a reply in a thread, with or without a broadcast."""

    THREAD_BROADCAST = "thread_broadcast"
    THREAD = "thread"


class Announce(Frozen):
    ready: ReadyAnnouncement = ReadyAnnouncement.THREAD_BROADCAST
    address_in_channel: Flag = False


class Retention(Frozen):
    """The time for which the store keeps data that is no longer used."""

    messages: Span = timedelta(days=90)
    """The time for which messages are kept after they were queued, if they are never edited again.

    Messages of a rental are also kept for this long after the rental's end.
    """
    quotes: Span = timedelta(days=7)
    """The time for which the offers of a search are kept.

    After this time, a search that led to no rental is deleted. If the search led to a rental, only its offers are
    deleted.
    """
    people: Span = timedelta(days=90)
    """The time for which the names and keys of people who left the workspace are kept."""

    @field_validator("messages", "quotes", "people")
    @classmethod
    def _long_enough(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        least = LEAST_RETENTION[info.field_name or ""]
        if value < least:
            raise ValueError(f"it must be at least {least.days}d")
        return value


class Waiting(Frozen):
    """The limits for waiting for offers, and the rate of queries to the market."""

    per_person: Count = Field(default=3, le=100)
    """The maximum number of waitlist entries that a person can have at once."""
    longest: Span = timedelta(days=7)
    every: Span = timedelta(seconds=60)
    """The shortest interval between two queries to the market for equal waitlist entries."""


class Tokens(Frozen):
    """The rules for API tokens, with which programs rent machines."""

    longest: Span = timedelta(days=30)
    """The longest time for which a token can work."""


class Agent(Frozen):
    """A Slack app that can ask for machines in a channel, within the terms of a token."""

    owner: UserId
    """The person whose token the app uses."""
    token: Label
    """The name of the token."""

    @field_validator("token")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value:
            raise ValueError("write the name of one of the owner's tokens, such as nightly eval")
        return value


class Webhook(Frozen):
    """A receiver of events."""

    url: WebhookUrl = Field(repr=False)
    events: tuple[WebhookEvent, ...] = tuple(WebhookEvent)
    private: Flag = False
    """True if the receiver may be in a private network, or on the bot's machine."""

    @property
    def host(self) -> str:
        """The host of the URL (`host_of`)."""
        return host_of(self.url)

    @field_validator("events")
    @classmethod
    def _at_least_one(cls, value: tuple[WebhookEvent, ...]) -> tuple[WebhookEvent, ...]:
        if not value:
            raise ValueError("name at least one event, or leave the key out for all")
        return value

    @model_validator(mode="after")
    def _may_reach_host(self) -> Webhook:
        address = literal_address(self.host)
        if address is not None and not may_be_reached(address, private=self.private):
            raise ValueError(f"{address} is a private address; add `private: true` if you mean it")
        return self


MOST_WEBHOOKS = 10


class Rules(Frozen):
    """All rules of the team. Every key of the policy file has a default."""

    timezone: Zone = "UTC"
    admins: tuple[UserId, ...] = ()
    """The admins in the policy file, and the admins in GPUBOT_ADMINS."""
    approvers: Approvers = Approvers()
    approvals_channel: ChannelId | None = None
    use: Access = Access()
    auto_approve: AutoApprove = AutoApprove()
    limits: Limits = Limits()
    self_approval: Flag = False
    approval: Approval = Approval()
    procure: Procure = Procure()
    lease: Lease = Lease()
    on_ending: OnEnding = OnEnding()
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
    """The time at which the home channel gets the week's spending, in `timezone`. None for no such message."""
    retention: Retention = Retention()
    waiting: Waiting = Waiting()
    tokens: Tokens = Tokens()
    agents: Mapping[AppId, Agent] = Field(default_factory=dict)
    """The Slack apps that can ask for machines, by the app's ID."""
    webhooks: tuple[Webhook, ...] = ()
    setup: Mapping[str, str] = Field(default_factory=dict)
    """The text of each setup script, by its name. In the policy file, this key contains the scripts' paths."""
    home_channel: ChannelId = "C0"
    """The channel in GPUBOT_CHANNEL. It isn't a key of the file."""

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

    @field_validator("webhooks")
    @classmethod
    def _few_and_different(cls, value: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
        if len(value) > MOST_WEBHOOKS:
            raise ValueError(f"name at most {MOST_WEBHOOKS} webhooks")
        if len({webhook.url for webhook in value}) < len(value):
            raise ValueError("two webhooks have the same URL; list all its events in one of them")
        return value

    @property
    def billing_zone(self) -> ZoneInfo:
        """The time zone of budgets, spend reports and CSV files of charges."""
        return ZoneInfo(self.billing.timezone)

    @property
    def groups(self) -> frozenset[str]:
        """The user groups whose members the bot has to know."""
        named = self.approvers.groups + self.use.groups + self.finance.groups
        return frozenset(named + self.approval.then_groups)

    @property
    def approvals_to(self) -> str:
        """The channel in which the bot asks approvers for decisions."""
        return self.approvals_channel or self.home_channel
