"""A rental: one request, from the click until its machines are destroyed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import UNASSIGNED
from bot.model.machine_use import OnEnding, SetupProgress, Use
from bot.model.quote import WaitlistEntry
from bot.model.request import Request, Terms
from bot.model.state import State


class Decider(StrEnum):
    """Who decides a request that waits."""

    OWNER = "owner"
    APPROVER = "approver"


class PendingDecision(Frozen):
    """The decision that a request waits for. Only a rental in state `awaiting_approval` has one."""

    decider: Decider
    why: Why | None = None
    """Why the request waits for a second decision. None for the first."""
    expires_at: Instant


class Blocked(Frozen):
    """Buying is blocked by an outage, a pause, a refused token or unproven attempts, or the bot was down."""

    since: Instant
    why: Why | None = None
    """The reason that the owner was notified of. None until then."""


class Asked(Frozen):
    """What was asked about one spell."""

    about: Instant | None = None
    """When the spell began: `Use.idle_period`, or `Use.since` of a verdict without one. None if there was no
    verdict."""
    last_at: Instant
    times: int = 1
    """How often the owner was asked since the last answer."""
    first_at: Instant | None = None
    """When the owner was asked first since the last answer. None once they answered."""
    on_card: bool = False
    """Whether the card says that nobody answers."""
    approvers_at: Instant | None = None
    """When the approvers were last notified that nobody answers."""


class Question(Frozen):
    """What the owner was asked about a machine, and until when nothing is asked."""

    quiet_until: Instant | None = Field(default=None, alias="silent_until")
    """The time before which nothing is asked, whatever the reason. None: anything may be asked."""
    promised: bool = False
    """Whether the owner is asked at `quiet_until`, because an answer named that moment. Then a sign of life
    before it does not postpone the question."""
    asked: Asked | None = None
    """What was asked about the newest spell that had a question."""


class GracefulDestroy(Frozen):
    """Somebody destroys the machine after its `/root/on-ending.sh`. It ends once the script is done, and no later
    than the lease's end, which waits for nothing more.
    """

    by: str
    """Slack id of who destroys it."""
    ends_at: Instant
    """The lease's end before. An extension restores it."""
    latest_end: Instant | None = None
    """The later of two ends before."""


class Lease(Frozen):
    """How long a machine runs, and the notices and questions that its owner gets meanwhile."""

    ready_at: Instant
    ends_at: Instant
    latest_end: Instant | None = None
    """The time up to which `ends_at` moves on while the machine is in use. None: the end does not move."""
    notices_checked_at: Instant
    """Every notice of this end that was due by then was given or skipped. Later ones are still to come."""
    seen_at: Instant
    """The owner's last sign of life."""
    question: Question
    graceful_destroy: GracefulDestroy | None = None
    """Set while the machine is destroyed after its `/root/on-ending.sh`. An extension drops it."""
    shown_later_at: Instant | None = None
    """When it was found that Slack shows a later state of the machine than the database. None once the machine was
    looked up and its owner was told of its end."""

    @property
    def last_end(self) -> datetime:
        """The latest end that the envelope holds: the later one of two ends. If the machine is destroyed after its
        script, that of before.
        """
        held = self.graceful_destroy or self
        return held.latest_end or held.ends_at


class Extension(Frozen):
    """A longer lease that waits for an approver, with its own envelope. It expires at the old end."""

    terms: Terms = Field(alias="envelope")
    ends_at: Instant
    """The new end, if it is approved."""
    asked_by: str
    asked_at: Instant


class Ending(Frozen):
    """How a rental ended, or how it will end once its machines are gone."""

    outcome: State
    why: Why | None = None
    by: str | None = None
    since: Instant | None = None
    """When its destruction began. None if it ended at once, because no machine was alive."""


class Alarm(Frozen):
    """A deletion that takes too long. People are notified of it until the vendor confirms it."""

    at: Instant
    """When to notify people next."""
    count: int = 0
    """How often they were notified."""
    acknowledged_by: str | None = None

    @property
    def can_be_acknowledged(self) -> bool:
        """Whether people were notified of the alarm and nobody has taken it on yet."""
        return self.count > 0 and self.acknowledged_by is None


class Rental(Frozen):
    """A rental. The store changes one only by compare-and-set on `version` and `state`."""

    id: str
    version: int = 1
    state: State
    quote_id: str | None
    """None for an adopted machine, which nobody asked for here."""
    owner: str
    """Slack user id."""
    project: str = UNASSIGNED
    """The project that is charged, also after a change of owner."""
    card_channel: str
    request: Request
    teammates: tuple[str, ...] = ()
    """Slack ids of the people that its owner lets in."""
    clicked_offer: str
    """The offer that the person chose. It is tried first. Empty if the rental has no quote."""
    terms: Terms
    """The envelope in force. While the request waits, the envelope that is asked for."""
    decision: PendingDecision | None = None
    waitlist_entry: WaitlistEntry | None = None
    """Set if it is bought once an offer fits, or at its start time: the wish of its quote, as it was approved."""
    approved_by: str | None = None
    approval_notice_at: Instant | None = None
    """When to notify the owner of the approval, unless the machine is ready by then. None: never."""
    created_at: Instant
    procuring_since: Instant | None = None
    blocked: Blocked | None = None
    attempts: int = 0
    """How many attempts the rental has had."""
    gpu: str | None = None
    """The canonical name of the GPU of the last attempt, then of its machine. None before the first attempt, and
    while the rental waits for a decision."""
    rate: Decimal | None = None
    """USD per hour of the last attempt, then of its machine."""
    vendor: str | None = None
    vendor_region: str | None = None
    accepted_at: Instant | None = None
    """When the market accepted the live attempt."""
    quiet_since_real: Instant | None = None
    """Since when the machine's SSH port has not answered, in real time. If the machine became ready without an
    answer, this stays set until an SSH server answers."""
    host: str | None = None
    port: int | None = None
    host_key: str | None = None
    """The fingerprint of the machine's SSH host key when it became ready, or within minutes after that:
    `SHA256:...`. None if it gave no key."""
    lease: Lease | None = None
    """Set when the machine becomes ready. It stays when the rental is over."""
    use: Use | None = None
    """The last verdict about the machine's use. None before it, and if the machine has no probe by design."""
    probe_answered_at: Instant | None = None
    """When the probe answered first: the boot script ran, or the owner installed the probe. None until then."""
    setup_progress: SetupProgress | None = None
    """The outcome of the setup script, as the probe reported it last."""
    on_ending: OnEnding | None = None
    """`/root/on-ending.sh`, as the machine reported it last. None if it has no part that starts it."""
    on_ending_at: Instant | None = None
    """When that was seen first."""
    replaces: str | None = None
    """The id of the rental whose place it takes."""
    replaced_by: str | None = None
    """The id of the rental that takes this one's place. A rental is replaced at most once. None again if the other
    rental ended without a machine while this one still ran."""
    bought_after_backup: bool = False
    """Whether a machine with the rental's ID was found that the store doesn't know: it was bought after the
    backup. Nothing more is bought for the rental, and no message says that it cost nothing."""
    extension: Extension | None = None
    ending: Ending | None = None
    """Set from `destroying` on."""
    alarm: Alarm | None = None
    """Set while something of the rental is being deleted."""
    over_at: Instant | None = None
    due_at: Instant | None = None
    """When the next step is due. None if none is."""

    def lets_in(self, person_id: str) -> bool:
        """Return whether a person is its owner or one of its teammates."""
        return person_id in {self.owner, *self.teammates}

    @property
    def lost(self) -> bool:
        """Whether the vendor took the machine. An earlier attempt may still be being deleted."""
        return self.ending is not None and self.ending.outcome is State.LOST

    @property
    def unreachable(self) -> bool:
        """Whether the machine is ready although nothing has answered on its SSH port."""
        return self.state is State.READY and self.quiet_since_real is not None

    @property
    def model(self) -> str:
        """Return the canonical name of the GPU that was bought, or else of the one that was clicked."""
        return self.gpu or self.terms.gpu

    @property
    def undecided_terms(self) -> Terms | None:
        """Return the envelope that waits for a decision, the extension's or the request's. None if none does."""
        if self.extension is not None:
            return self.extension.terms
        return self.terms if self.state is State.AWAITING_APPROVAL else None

    @property
    def newest_terms(self) -> Terms:
        """Return the envelope that waits for a decision, or the one in force if none waits."""
        return self.undecided_terms or self.terms

    @property
    def owner_decides(self) -> bool:
        """Whether the owner decides alone, without an approver."""
        return self.decision is not None and self.decision.decider is Decider.OWNER

    @property
    def approver_decides(self) -> bool:
        return self.decision is not None and self.decision.decider is Decider.APPROVER

    @property
    def needs_later_end(self) -> bool:
        """Whether nobody can approve it with its present end, so that its owner has to name a later one."""
        return self.decision is not None and self.decision.why is Why.TOO_LITTLE_TIME

    @property
    def unextended(self) -> Terms:
        """Return the envelope in force, with the version of the extension that waits, if any. Then the next
        extension gets another version, so that old buttons are recognized.
        """
        if self.extension is None:
            return self.terms
        return changed(self.terms, version=self.extension.terms.version)

    @property
    def rate_at_most(self) -> Decimal:
        """What the machine costs, USD per hour. While that is unknown, the most that the envelope allows."""
        return self.terms.max_rate if self.rate is None else self.rate

    @property
    def running_lease(self) -> Lease:
        """Return the lease. Raise ValueError if the rental was never ready: that is a bug in the caller."""
        if self.lease is None:
            raise ValueError(f"{self.id} has no lease")
        return self.lease
