"""The facts of events as they were when they happened: one class for each family of kinds.

The row of a kind in bot/model/event.py names its class. Facts are stored as JSON, by the names of their fields.
A field has a default if some events of the family lack it, if an earlier release did not store it, or if it is a
price or an amount that not every reader may see. A `detail` is data from people or the market, never markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from pydantic import Field

from bot.errors import BuyingBlock
from bot.model.attempt import Why
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import Balance, Demand
from bot.model.machine_use import GpusSeen, UsageStatus, Use
from bot.model.money import Micros
from bot.model.spend import Digest
from bot.model.state import State

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
    )
)


class Facts(Frozen):
    """What an event says beside who did what and when: nothing, if its kind names no class."""

    @classmethod
    def stored(cls, facts: Mapping[str, Any]) -> Self:
        """Return the facts of a stored event, without those that are null or that this class does not have."""
        names = {name for field, info in cls.model_fields.items() for name in (field, info.alias)}
        known = {name: fact for name, fact in facts.items() if fact is not None and name in names}
        return cls.model_validate(known)

    def without_money(self) -> Self:
        """Return the facts for a reader who may not see money."""
        money = {name: field for name, field in type(self).model_fields.items() if name in _MONEY}
        return changed(self, **{name: field.default for name, field in money.items() if not field.is_required()})


class SaidFacts(Facts):
    """What the person who acted said."""

    detail: str | None = None


class PeopleFacts(Facts):
    """The people whom an event concerns: their Slack ids."""

    people: tuple[str, ...] = ()


class UntilFacts(Facts):
    """When the machine ends, or until when something holds."""

    until: Instant | None = None


class BillFacts(Facts):
    """What a rental or an attempt has cost. None if nobody knows that yet."""

    amount: Micros | None = None
    estimated: bool | None = None


# --- requests and decisions


class DecidersFacts(PeopleFacts):
    """The people who are asked to decide about a version of the envelope."""

    terms: int = Field(alias="envelope")
    admins_decide: bool | None = None
    """Whether the admins are asked because no approver is left who may decide. None if no approver decides."""
    then: tuple[str, ...] = ()
    """Those among `people` who are asked as `approval.then` says."""
    away: tuple[str, ...] = ()
    """The approvers who are not asked because they are away."""


class AllowedFacts(Facts):
    """What an envelope allows."""

    rate: Decimal | None = None
    max_rate: Decimal | None = None
    total: Micros | None = None
    hours: timedelta | None = None


class OtherOffer(Frozen):
    """The cheapest offer beside the one that was clicked."""

    vendor: str
    vendor_region: str | None = None
    rate: Decimal


class RequestFacts(AllowedFacts, DecidersFacts, UntilFacts, BillFacts):
    """What is asked for, and until when people can decide or the rental waits for an offer."""

    why: Why | None = None
    read_at: Instant | None = None
    """When `rate`, and the price of the `other` offer, were read."""
    other: OtherOffer | None = None
    starts_at: Instant | None = None
    name: str | None = None
    """The id of the rental whose place it takes."""
    before: Decimal | None = None
    """The `max_rate` before, if people decide again."""
    vendor: str | None = None
    vendor_region: str | None = None
    gpu: str | None = None
    before_gpu: str | None = None
    """The GPU that was clicked, if `gpu` is one that doesn't fit it."""


class DecisionFacts(SaidFacts, PeopleFacts, AllowedFacts, UntilFacts):
    """A decision about a request, or about an extension that `people` asked for. The lease ends at `until`."""

    terms: int | None = Field(default=None, alias="envelope")
    span: timedelta | None = None
    asked_span: timedelta | None = None
    """If fewer hours were approved, `span`: the length that was asked for."""
    self_approved: bool | None = None
    passed: tuple[Demand, ...] = ()
    """The budgets that did not hold what was approved."""


class ExtensionFacts(DecisionFacts, DecidersFacts):
    """An extension by `span`, to `until`. It is asked for, or granted at once."""

    terms: int = Field(alias="envelope")
    until: Instant
    since: Instant
    """The end before. While an approver decides, it is the end that stands."""
    span: timedelta


# --- until the machine is ready


class OfferFacts(UntilFacts):
    """An offer, by its id, for a rental that waits for one: it fits, or it is the cheapest of those that don't."""

    vendor: str | None = None
    vendor_region: str | None = None
    rate: Decimal | None = None
    offer: str | None = None
    max_rate: Decimal | None = None
    starts_at: Instant | None = None
    read_at: Instant | None = None
    since: Instant | None = None
    owner_unconfirmed: bool | None = None
    """Whether Slack's last answer about the owner counted, because it gave no new one in time."""


class NotAllowedFacts(UntilFacts):
    """What the rules don't allow, `detail`. If nothing is bought for anyone, `block` is why, and `name` and
    `detail` are who paused buying and their words.
    """

    detail: str | None = None
    block: BuyingBlock | None = None
    name: str | None = None


class HeldUpFacts(UntilFacts):
    """Why nothing is bought for a rental at the moment, and the `count` of its unproven attempts."""

    why: Why
    vendor: str | None = None
    detail: str | None = None
    count: int | None = None
    end: State | None = None
    """Set if no other offer fits."""
    told_before: bool | None = None
    """Whether the thread of a rental with a wish has a reply that says the same."""


class AttemptFacts(Facts):
    """An attempt, and why its outcome is or was unknown, or why it is given up."""

    vendor: str
    vendor_region: str | None = None
    rate: Decimal | None = None
    why: Why | None = None
    detail: str | None = None
    told_before: bool | None = None
    since: Instant | None = None
    """Since when the rental waited for the offer that was bought. None if it did not wait."""
    total: Micros | None = None


class LeftOut(Frozen):
    """What a purchase does not bring onto the machine, although the owner wanted it."""

    refused: bool = False
    """Whether the place takes no boot script, so that the purchase has none."""
    setup: str | None = None
    """The name of a setup script that doesn't run."""
    probe: bool = False
    """The probe is not installed, so the bot can't see whether the machine is used."""
    key_count: int = 0
    """How many keys don't get in."""
    people: tuple[str, ...] = ()
    """Slack ids of teammates who have no key."""


class RentingFacts(AttemptFacts):
    """An attempt that is intended, and the one that failed before it: `before_vendor`, `why`, `detail`."""

    gpu: str | None = None
    clicked: Decimal | None = None
    """The price that was clicked or approved. Set if an earlier attempt failed."""
    before_vendor: str | None = None
    paid: bool | None = None
    """Whether the attempt before cost anything."""
    left_out: LeftOut | None = None


class ReadyFacts(AttemptFacts, UntilFacts):
    """A machine that runs, and how long it took since the request. `why` is set if its SSH port is silent."""

    gpu: str
    count: int
    since: Instant
    span: timedelta
    until: Instant
    without_key: tuple[str, ...] = ()
    """The teammates who were asked for a key before and still have none."""


# --- while it runs


class UseFacts(UntilFacts):
    """The evidence of how a machine is used."""

    use: Use | None = None


class StatusFacts(UseFacts):
    """The verdict about the use of a machine, and since when it holds."""

    status: UsageStatus = Field(alias="verdict")
    since: Instant


class QuestionFacts(UseFacts, BillFacts):
    """A question whether a machine is needed. For the approvers, `amount` is what it cost while it was idle."""

    status: UsageStatus | None = Field(default=None, alias="verdict")
    since: Instant | None = None
    span: timedelta | None = None
    rate: Decimal | None = None
    estimate: Micros | None = None
    """What it costs until its end."""


class KeptFacts(PeopleFacts, UntilFacts):
    """For how long a machine is needed, when the bot asks again, and the people who asked for the machine."""

    since: Instant
    """The end of the lease."""
    span: timedelta


class EndFacts(BillFacts, UntilFacts):
    """A notice of the end."""

    until: Instant
    since: Instant | None = None
    span: timedelta | None = None
    rate: Decimal | None = None
    status: UsageStatus | None = Field(default=None, alias="verdict")
    """UNKNOWN if the end does not move because nobody sees whether the machine is in use."""
    vendor: str | None = None
    """Set if nobody sees into any machine of this vendor."""
    ask_before: Instant | None = None
    """Until when an approver can be asked for more time, if the notice comes because of that."""
    exit_status: int | None = None


class AgainFacts(UntilFacts):
    """When somebody is asked again, or until when nobody is."""

    until: Instant


class HostKeyFacts(Facts):
    """The fingerprint of a host key that is not trusted, `SHA256:...`, and that of the expected one."""

    host_key: str
    before_host_key: str | None = None


class GpuMismatchFacts(Facts):
    """The GPUs that were sold, and those that were seen."""

    gpu: str
    count: int
    gpus_seen: GpusSeen


class TeammatesFacts(PeopleFacts):
    """People who are let in. Those `without_key` are asked for one."""

    without_key: tuple[str, ...] = ()


class PersonFacts(PeopleFacts, UntilFacts):
    """The one person who left, or to whom a machine is given."""

    people: tuple[str]
    rate: Decimal | None = None


class OwnerChangedFacts(QuestionFacts, PeopleFacts):
    """The owner before and the new one. If the machine is idle, that one is asked whether it is needed."""

    people: tuple[str, str]


class AdoptedFacts(QuestionFacts, PersonFacts):
    """A machine that the bot did not know, and its owner from then on."""

    name: str | None = None
    resource_id: str
    gpu: str | None = None
    count: int
    vendor: str | None = None
    why: Why | None = None


class PlaceFacts(Facts):
    """The rental that takes the place of another one, or was to take it."""

    name: str
    why: Why | None = None
    amount: Micros | None = None
    """What it cost without getting a machine."""


# --- the end


class EndedFacts(SaidFacts, BillFacts):
    """How a rental ends, and what it cost."""

    end: State
    why: Why | None = None
    vendor: str | None = None
    rate: Decimal | None = None
    span: timedelta | None = None
    paid: bool | None = None
    estimate: Micros | None = None
    name: str | None = None
    """The rental that has its machine now."""


class DeletionFacts(BillFacts):
    """Resources that may still bill, or did so until now. `why` is set if their attempt failed."""

    vendor: str
    resource_id: str | None = None
    more_resources: tuple[str, ...] = ()
    rate: Decimal | None = None
    why: Why | None = None
    detail: str | None = None
    since: Instant | None = None


# --- alerts


class AlertFacts(UntilFacts):
    """What the bot can't do or does again, for a rental or on a machine of its own, `name`, or for all."""

    name: str | None = None
    number: str | None = None
    """The number in the log of a run of `count` failed steps."""
    count: int | None = None
    since: Instant | None = None
    """The end of the rental's machine, which is deleted at `until`."""
    span: timedelta | None = None
    """How much later machines are still deleted. Or how far a clock is ahead; negative if it is behind."""
    detail: str | None = None
    """For a wrong clock, whose is right: that of the `database` or of `witnesses`."""


class AccountFacts(Facts):
    """Things that an alert counts, and names in `detail`: machines, requests, mistakes in the policy, or its keys
    that changed with a version.
    """

    count: int = 0
    detail: str = ""
    resource_id: str | None = None
    name: str | None = None
    rate: Decimal | None = None


class DearRental(Frozen):
    """What a rental cost on an unusually dear day, and its GPUs, which events of earlier versions lack."""

    rental_id: str
    owner: str
    amount: Micros
    count: int = 0
    gpu: str = ""


class UnusualDayFacts(Facts):
    """What today cost so far, what a usual day costs, and the rentals that cost most, the dearest first."""

    amount: Micros
    estimate: Micros
    dearest: tuple[DearRental, ...] = ()


class BudgetAlertFacts(PeopleFacts):
    """A budget, `total`, and the money of its month. `people` is the person whose click reached the alert."""

    balance: Balance
    total: Micros


class DigestFacts(Facts):
    """What a week cost."""

    digest: Digest


class MonthFiledFacts(Facts):
    """A month, such as `2026-11`, and what its file has: the amount, and the number of rentals."""

    month: str
    amount: Micros
    count: int
