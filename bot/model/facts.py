"""The facts of events: details that are stored with an event and never change. Similar events share a class.

For each kind of event, `EFFECTS` in `bot/model/event.py` names the class of its facts. Facts are stored as JSON
under the names of their fields. A field has a default in three cases: some events of the class lack it, an earlier
release didn't store it, or it is a price or an amount that not every reader is allowed to see. A `detail` is
untrusted text from people or the market, so it must be escaped for display.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from bot.errors import BuyingBlock
from bot.model.attempt import ScriptPart, Why
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import Balance, Demand
from bot.model.gpu_health import GpuFault
from bot.model.job import Job
from bot.model.machine_use import GpusSeen, UsageStatus, Use
from bot.model.money import Micros
from bot.model.spend import Digest
from bot.model.state import State
from bot.model.token import TokenEnd

_MONEY = frozenset(
    (
        "rate",
        "before",
        "clicked",
        "max_rate",
        "total",
        "amount",
        "estimate",
        "estimated",
        "paid",
        "other",
        "passed",
        "per_hour",
    )
)


class Facts(Frozen):
    """The details of an event beyond who did what and when.

    This base class has no fields. Kinds of events use it if their row in `EFFECTS` names no other class.
    """

    @classmethod
    def stored(cls, facts: Mapping[str, Any]) -> Self:
        """Return the facts of a stored event.

        Null values are left out. Fields that this class doesn't have are ignored.
        """
        names = {name for field, info in cls.model_fields.items() for name in (field, info.alias)}
        known = {name: fact for name, fact in facts.items() if fact is not None and name in names}
        return cls.model_validate(known)

    def without_money(self) -> Self:
        """Return a copy without prices and amounts, for readers who aren't allowed to see money."""
        money = {name: field for name, field in type(self).model_fields.items() if name in _MONEY}
        return changed(self, **{name: field.default for name, field in money.items() if not field.is_required()})


class SaidFacts(Facts):
    """A text that a person typed. The event's `actor` is that person."""

    detail: str | None = None


class PeopleFacts(Facts):
    """The people whom an event concerns, by their Slack IDs."""

    people: tuple[str, ...] = ()


class UntilFacts(Facts):
    """A time until which something applies, such as the end of the lease."""

    until: Instant | None = None


class BillFacts(Facts):
    """The cost of a rental or of one purchase. The cost is None while it isn't known."""

    amount: Micros | None = None
    estimated: bool | None = None


# --- requests and decisions


class DecidersFacts(PeopleFacts):
    """The people who are asked to approve or deny one version of a rental's terms."""

    terms: int = Field(alias="envelope")
    admins_decide: bool | None = None
    """True if the admins are asked because there is no approver. None if no approval is needed."""
    then: tuple[str, ...] = ()
    """The people among `people` who are asked because of the policy key `approval.then`."""
    away: tuple[str, ...] = ()
    """The approvers who aren't asked because they are away."""


class AllowedFacts(Facts):
    """The limits in a rental's terms."""

    rate: Decimal | None = None
    max_rate: Decimal | None = None
    total: Micros | None = None
    hours: timedelta | None = None


class OtherOffer(Frozen):
    """The cheapest offer other than the one that was clicked."""

    vendor: str
    vendor_region: str | None = None
    rate: Decimal


class RequestFacts(AllowedFacts, DecidersFacts, UntilFacts, BillFacts):
    """A request, with its terms and the people who can approve or deny it.

    `until` is the time at which the request expires without a decision, or at which the rental stops waiting for
    an offer.
    """

    why: Why | None = None
    read_at: Instant | None = None
    """The time at which `rate` and the price of the `other` offer were read."""
    other: OtherOffer | None = None
    starts_at: Instant | None = None
    name: str | None = None
    """The ID of the rental that this one replaces."""
    before: Decimal | None = None
    """The previous `max_rate`, if another approval of the request is needed."""
    vendor: str | None = None
    vendor_region: str | None = None
    gpu: str | None = None
    before_gpu: str | None = None
    """The GPU that was clicked. Set if a person must agree before `gpu` is bought in its place."""


class DecisionFacts(SaidFacts, PeopleFacts, AllowedFacts, UntilFacts):
    """An approval or a denial. If it is about an extension, `people` requested it. The lease ends at `until`."""

    terms: int | None = Field(default=None, alias="envelope")
    span: timedelta | None = None
    asked_span: timedelta | None = None
    """The length of time that was requested. Set if only a shorter time (`span`) was approved."""
    self_approved: bool | None = None
    passed: tuple[Demand, ...] = ()
    """The budgets that the approved amount exceeds."""


class ExtensionFacts(DecisionFacts, DecidersFacts):
    """An extension by `span`, until `until`. Either it waits for an approver, or it took effect at once."""

    terms: int = Field(alias="envelope")
    until: Instant
    since: Instant
    """The previous end of the lease. It stays in force until an approver decides."""
    span: timedelta
    until_done: bool = False
    """True if the lease then also ends when its jobs are done. `span` can then be zero."""


class TokenFacts(SaidFacts, PeopleFacts):
    """A token, and what happened to it or to a request for its terms. `people` are those who are asked to decide.

    If somebody denied the request, `detail` is their reason.
    """

    token_id: str
    name: str
    """The name of the token when the event happened. Untrusted text: escape it for display."""
    owner: str
    """Slack ID of the token's owner."""
    version: int | None = None
    """The number of the request for terms. None if the event isn't about a request."""
    until: Instant | None = None
    """The time at which the request expires."""
    admins_decide: bool | None = None
    """True if the admins are asked because there is no approver."""
    then: tuple[str, ...] = ()
    """The people among `people` who are asked because of the policy key `approval.then`."""
    away: tuple[str, ...] = ()
    """The approvers who aren't asked because they are away."""
    total: Micros | None = None
    """The total of the terms."""
    per_hour: Decimal | None = None
    """The hourly price of the terms, in USD."""
    why: TokenEnd | None = None
    still_works: bool | None = None
    """True if only a request ended, and the token keeps working with its earlier terms."""
    rentals: tuple[str, ...] = ()
    """The IDs of the rentals that are ended with the token."""
    count: int | None = None
    """The number of machines that the token asked for within a minute. None if it isn't known."""


# --- until the machine is ready


class OfferFacts(UntilFacts):
    """An offer for a queued rental: one that matches the request or, if there is none, the cheapest one.

    `offer` is the ID of the offer.
    """

    vendor: str | None = None
    vendor_region: str | None = None
    rate: Decimal | None = None
    offer: str | None = None
    max_rate: Decimal | None = None
    starts_at: Instant | None = None
    read_at: Instant | None = None
    since: Instant | None = None
    owner_unconfirmed: bool | None = None
    """True if Slack didn't confirm in time that the owner is a member. Slack's earlier answer was then used."""


class NotAllowedFacts(UntilFacts):
    """The reason why a suitable offer can't be bought.

    If the rules don't allow the purchase, the reason is `detail`. If buying is blocked for everyone, `block` is
    set. If an admin paused buying, `name` is the admin, and `detail` is the reason that the admin typed.
    """

    detail: str | None = None
    block: BuyingBlock | None = None
    name: str | None = None


class HeldUpFacts(UntilFacts):
    """The reason why nothing is being bought for a rental. `count` is the number of `unresolved` purchases."""

    why: Why
    vendor: str | None = None
    detail: str | None = None
    count: int | None = None
    end: State | None = None
    """`FAILED` if the rental ends because there is no other suitable offer. None otherwise."""
    told_before: bool | None = None
    """True if the thread of a rental on the waitlist already has a reply with the same vendor and reason."""


class AttemptFacts(Facts):
    """A purchase. `why` is the reason why its outcome was unknown, or why the bot gave up on it."""

    vendor: str
    vendor_region: str | None = None
    rate: Decimal | None = None
    why: Why | None = None
    detail: str | None = None
    told_before: bool | None = None
    since: Instant | None = None
    """The time since which the rental waited for the offer that was bought. None if it didn't wait."""
    total: Micros | None = None


class LeftOut(Frozen):
    """The parts that the startup script won't install on a machine, although the owner wanted them."""

    refused: bool = False
    """True if no script is sent, because this vendor or region doesn't accept startup scripts."""
    setup: str | None = None
    """The name of a setup script that won't run."""
    probe: bool = False
    """True if the probe isn't installed, so that the bot can't tell whether the machine is used."""
    key_count: int = 0
    """The number of keys that aren't installed."""
    parts: tuple[ScriptPart, ...] = ()
    """The parts for which the startup script has no room."""
    people: tuple[str, ...] = ()
    """Slack IDs of the teammates who have no key."""


class RentingFacts(AttemptFacts):
    """A new purchase, and the failed one before it: `before_vendor`, `why` and `detail`."""

    gpu: str | None = None
    """The canonical name of the GPU, if it isn't the one that was clicked. Earlier versions always stored it."""
    clicked: Decimal | None = None
    """The price of the offer that was clicked or approved. Set if an earlier purchase failed."""
    before_vendor: str | None = None
    paid: bool | None = None
    """True if the previous purchase cost anything."""
    left_out: LeftOut | None = None


class ReadyFacts(AttemptFacts, UntilFacts):
    """A machine that is now ready, and the time that this took. `why` is set if SSH can't reach the machine."""

    gpu: str
    count: int
    since: Instant
    span: timedelta
    until: Instant
    without_key: tuple[str, ...] = ()
    """The teammates who were asked for a key before and still have none."""


# --- while it runs


class UseFacts(UntilFacts):
    """The evidence about how a machine is used."""

    use: Use | None = None


class StatusFacts(UseFacts):
    """The usage status of a machine, and the time since which it applies."""

    status: UsageStatus = Field(alias="verdict")
    since: Instant


class QuestionFacts(UseFacts, BillFacts):
    """A question about whether a machine is still needed.

    For the approvers, `amount` is the cost of the machine while it was idle.
    """

    status: UsageStatus | None = Field(default=None, alias="verdict")
    since: Instant | None = None
    span: timedelta | None = None
    rate: Decimal | None = None
    estimate: Micros | None = None
    """The cost until the end of the lease."""
    job: Job | None = None
    """The job that is running although the machine does no work. None if no job is running."""


class JobsEndedFacts(BillFacts, UntilFacts):
    """The jobs that have ended on a machine, the last one first. The lease ends at `until`."""

    jobs: tuple[Job, ...]
    rate: Decimal | None = None


class KeptFacts(PeopleFacts, UntilFacts):
    """The owner's reply that they need the machine for the time `span`. The bot asks again at `until`.

    `people` contains the people who had asked the owner for the machine.
    """

    since: Instant
    """The end of the lease."""
    span: timedelta


class EndFacts(BillFacts, UntilFacts):
    """A notice that a machine will soon be destroyed."""

    until: Instant
    since: Instant | None = None
    """The former end of the lease, if the machine is kept until `until` because `/root/on-ending.sh` failed."""
    span: timedelta | None = None
    """The time until the machine is destroyed. If it is kept after a failure, the time for which it is kept."""
    rate: Decimal | None = None
    estimate: Micros | None = None
    """The most that keeping the machine costs after a failure, including the grace period."""
    status: UsageStatus | None = Field(default=None, alias="verdict")
    """The usage status. If the status is UNKNOWN, the end of the lease doesn't move."""
    vendor: str | None = None
    """Set if the bot can't probe any machine of this vendor."""
    ask_before: Instant | None = None
    """The latest time at which an approver can still be asked for more time.

    Only set if the notice was sent because the approvers' working hours end before the lease ends.
    """
    exit_status: int | None = None


class JobDoneFacts(EndFacts):
    """The last job on a machine. It has finished, and the lease now ends at `until` because the owner chose so."""

    job: Job


class WorkGoesOn(StrEnum):
    """The work that was seen on a machine after its jobs seemed to be done."""

    JOB = "job"
    """Another job has started."""
    GPU_OR_CONNECTION = "gpu_or_connection"
    """A GPU was working, or somebody connected."""


class WorkGoesOnFacts(UntilFacts):
    """Work was seen on a machine after its jobs seemed to be done. The lease again ends later, at `until`."""

    until: Instant
    work: WorkGoesOn


class HeartbeatLostFacts(BillFacts, UntilFacts):
    """A heartbeat that has been missing since `since`.

    The machine ends unless the heartbeat is back at `back_by`. If `back_by` is None, the machine still ends at
    `until`.
    """

    since: Instant
    back_by: Instant | None = None
    heard: bool = True
    """False if no heartbeat has arrived since the machine was ready. `since` is then the time of that."""
    works: bool = False
    """True if the machine doesn't end sooner because its GPUs are working."""
    unseen: bool = False
    """True if the bot can't see whether the GPUs are working. The machine then ends even if they are."""
    rate: Decimal | None = None


class HeartbeatEndFacts(EndFacts):
    """The end of a machine that moved to `until`, because its heartbeat has been missing since `since`."""

    since: Instant


class HeartbeatReturn(StrEnum):
    """The reasons why a machine no longer ends because of a lost heartbeat."""

    HEARTBEAT = "heartbeat"
    JOB = "job"
    """A job is running, which counts as a heartbeat."""
    WORK = "work"
    """The heartbeat is still missing, but the GPUs are working."""
    AWAY = "away"
    """The bot couldn't receive heartbeats for a while."""
    NOT_EXPECTED = "not_expected"
    """The bot doesn't expect heartbeats any more."""


class HeartbeatBackFacts(UntilFacts):
    """The reason why a machine no longer ends because of a lost heartbeat.

    If its end had moved, it ends at `until` again. Otherwise, `until` is None.
    """

    how: HeartbeatReturn
    since: Instant | None = None
    """The time of the heartbeat, or of the newest report about the job."""
    back_by: Instant | None = None
    """The new time by which the heartbeat has to be back. Only set if `how` is AWAY."""


class KeptWithoutHeartbeatFacts(UntilFacts):
    """The time until which a person keeps a machine whose heartbeat is lost.

    If its end had moved, it ends at `until` again. Otherwise, `until` is None.
    """

    kept_until: Instant


class AgainFacts(UntilFacts):
    """The time before which a person gets no further question."""

    until: Instant


class HostKeyFacts(Facts):
    """The fingerprints of an untrusted host key and of the expected one, as `SHA256:...`."""

    host_key: str
    before_host_key: str | None = None


class GpuMismatchFacts(Facts):
    """The GPUs that were sold, and the GPUs that the machine reports. The two differ."""

    gpu: str
    count: int
    gpus_seen: GpusSeen


class GpuFaultFacts(Facts):
    """The faults of GPUs that a probe run reported, without those that had been reported before."""

    faults: tuple[GpuFault, ...]


class TeammatesFacts(PeopleFacts):
    """The people who are given access. Those in `without_key` are asked for a key."""

    without_key: tuple[str, ...] = ()


class PersonFacts(PeopleFacts, UntilFacts):
    """The one person whom the event is about: an owner who left, or somebody to whom a machine is offered."""

    people: tuple[str]
    rate: Decimal | None = None


class OwnerChangedFacts(QuestionFacts, PeopleFacts):
    """The previous and the new owner. If the machine is idle, the new owner is asked whether it is needed."""

    people: tuple[str, str]


class AdoptedFacts(QuestionFacts, PersonFacts):
    """A machine that wasn't rented through the bot, and the person whom an admin made its owner."""

    name: str | None = None
    resource_id: str
    gpu: str | None = None
    count: int
    vendor: str | None = None
    why: Why | None = None


class PlaceFacts(Facts):
    """The rental that replaces another rental's machine, or that ended without replacing it."""

    name: str
    why: Why | None = None
    amount: Micros | None = None
    """The cost of a replacement that ended without getting a machine."""


# --- the end


class EndedFacts(SaidFacts, BillFacts):
    """The end of a rental, and its cost."""

    end: State
    why: Why | None = None
    vendor: str | None = None
    rate: Decimal | None = None
    span: timedelta | None = None
    paid: bool | None = None
    estimate: Micros | None = None
    name: str | None = None
    """The ID of the rental that now has this rental's machine."""


class DeletionFacts(BillFacts):
    """Resources that are being deleted, or have been deleted.

    Until the vendor confirms the deletion, the resources can still cost money. If the purchase of the resources
    failed, `why` is the reason.
    """

    vendor: str
    resource_id: str | None = None
    more_resources: tuple[str, ...] = ()
    rate: Decimal | None = None
    why: Why | None = None
    detail: str | None = None
    since: Instant | None = None


# --- alerts


class AlertFacts(UntilFacts):
    """A failure or a recovery of the bot.

    If a single rental is affected, `name` is the ID of the rental. If one of several bot processes is affected,
    `name` is the machine that runs the process. If everything is affected, `name` is None.
    """

    name: str | None = None
    number: str | None = None
    """The number by which the log refers to a series of `count` failures."""
    count: int | None = None
    since: Instant | None = None
    """The end of the rental's lease. The machine is deleted at `until`."""
    span: timedelta | None = None
    """If the database accepts no writes: the delay between the end of a lease and the deletion of the machine.

    If a clock is wrong: the time by which the clock is ahead. Negative if it is behind.
    """
    detail: str | None = None
    """If a clock is wrong: the clocks from which it differs.

    `database` stands for the database's clock, and `witnesses` for the clocks of Compute Clear and Slack.
    """


class WebhookFacts(UntilFacts):
    """A receiver of webhooks that doesn't accept events, or accepts them again.

    If it doesn't accept them, the event that failed at `since` is dropped at `until`, and later events are dropped
    later.
    """

    host: str
    """The host of the receiver's URL. The rest of the URL can contain a secret."""
    since: Instant
    """The time of the first event that wasn't accepted."""
    detail: str = ""
    """The reason for the last failure, such as `status 503`. Empty if events are accepted again."""


class AccountFacts(Facts):
    """The things that an alert is about. `count` is their number, and `detail` lists them.

    They are machines, requests, mistakes in the policy file, or policy keys that a new version changed.
    """

    count: int = 0
    detail: str = ""
    resource_id: str | None = None
    name: str | None = None
    rate: Decimal | None = None


class DearRental(Frozen):
    """The cost of a rental on an unusually expensive day, and the rental's GPUs.

    In old events, `count` is 0 and `gpu` is empty, because earlier versions of the bot didn't store the GPUs.
    """

    rental_id: str
    owner: str
    amount: Micros
    count: int = 0
    gpu: str = ""


class UnusualDayFacts(Facts):
    """The cost of today so far and of a usual day, and the most expensive rentals, in descending order of cost."""

    amount: Micros
    estimate: Micros
    dearest: tuple[DearRental, ...] = ()


class BudgetAlertFacts(PeopleFacts):
    """A budget (`total`), and the amounts that were spent and reserved in its month.

    `people` contains the person whose click caused the alert.
    """

    balance: Balance
    total: Micros


class DigestFacts(Facts):
    """The cost of a week."""

    digest: Digest


class MonthFiledFacts(Facts):
    """A month such as `2026-11`, with the total amount and the number of rentals in its CSV file of charges."""

    month: str
    amount: Micros
    count: int
