"""A rental: one request, from the moment a person chooses an offer until its machines are destroyed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import UNASSIGNED
from bot.model.gpu_health import GpuHealth
from bot.model.job import MachineJobs, Progress, UntilDone
from bot.model.machine_use import OnEnding, SetupProgress, Use
from bot.model.quote import WaitlistEntry
from bot.model.request import Request, Terms
from bot.model.state import State
from bot.model.token import HeartbeatEnd, LostHeartbeat, Program


class Decider(StrEnum):
    """The person whose decision a request waits for."""

    OWNER = "owner"
    APPROVER = "approver"


class PendingDecision(Frozen):
    """The decision that a request waits for. Only a rental in state `awaiting_approval` has one."""

    decider: Decider
    why: Why | None = None
    """The reason why another decision about the request is needed. None for the first decision."""
    expires_at: Instant


class Blocked(Frozen):
    """The state in which nothing can be bought for a rental.

    The cause is an outage, a pause, a refused token, downtime of the bot, or earlier purchases that can still cost
    money.
    """

    since: Instant
    why: Why | None = None
    """The reason in the message to the owner. None before the owner is notified."""


class Asked(Frozen):
    """The questions that were asked about one idle period."""

    about: Instant | None = None
    """The start of the idle period: `Use.idle_period`, or `Use.since` if that is None.

    If the question was asked because a job ended, this is the time of the question. None if the machine had no
    usage status.
    """
    after_job: bool = False
    """True if the first question was asked because a job ended.

    The question then belongs to the idle period that had begun when the question was asked.
    """
    last_at: Instant
    times: int = 1
    """The number of times that the owner was asked since their last answer."""
    first_at: Instant | None = None
    """The time at which the owner was first asked since their last answer. None once they have answered."""
    on_card: bool = False
    """True if the card says that nobody answers."""
    approvers_at: Instant | None = None
    """The time at which the approvers were last notified that nobody answers. None if they weren't notified."""


class Question(Frozen):
    """The questions to an owner about an idle machine. No further question is asked before `quiet_until`."""

    quiet_until: Instant | None = Field(default=None, alias="silent_until")
    """The time before which the owner isn't asked anything. None if the owner can be asked at any time."""
    promised: bool = False
    """True if the bot promised the owner to ask at `quiet_until`, in reply to an earlier answer.

    The bot then asks at that time, even if the owner has answered or extended the lease in the meantime.
    """
    asked: Asked | None = None
    """The questions about the most recent idle period that caused a question. None if no question was asked."""


class GracefulDestroy(Frozen):
    """A destruction that waits until the machine's `/root/on-ending.sh` has finished.

    The machine is destroyed when the script has finished, or at the end of the lease. Nothing else delays the
    destruction.
    """

    by: str
    """Slack ID of the person who is destroying the machine."""
    ends_at: Instant
    """The end of the lease before somebody chose a graceful destroy. An extension restores this end."""
    latest_end: Instant | None = None
    """`Lease.latest_end` before somebody chose a graceful destroy. None for a fixed end."""


class Lease(Frozen):
    """The time for which a machine is rented, and the notices and questions that its owner has received."""

    ready_at: Instant
    ends_at: Instant
    latest_end: Instant | None = None
    """The latest end of a lease with a flexible end. None if the end is fixed.

    While the machine is in use, `ends_at` moves to later times, but never past `latest_end`. If the lease was
    about to end because its jobs were done, but work is seen again, `ends_at` becomes `latest_end` again.
    """
    kept_until: Instant | None = None
    """The latest time until which the machine is kept if `/root/on-ending.sh` fails before the end of the lease.

    The approved total includes this time. None if the machine isn't kept, or if it is being kept already:
    `ends_at` is then the time until which it is kept.
    """
    until_done: UntilDone | None = None
    """The owner's wish that the lease ends when its jobs are done. None without this wish."""
    notices_checked_at: Instant
    """The time up to which all notices of the lease's end have been sent or skipped."""
    seen_at: Instant
    """The last time at which the owner showed that they are there, for example by an answer or an extension."""
    question: Question
    graceful_destroy: GracefulDestroy | None = None
    """Set while the machine is being destroyed gracefully. An extension cancels this."""
    heartbeat_end: HeartbeatEnd | None = None
    """Set while the lease ends earlier than usual because a heartbeat is lost."""
    shown_later_at: Instant | None = None
    """The time at which the bot noticed that Slack shows newer facts than the database has.

    This happens after the database was restored from a backup. The time is removed once the machine has been
    looked up and the owner has been notified of the lease's end.
    """

    @property
    def ends_when_done(self) -> bool:
        """True if the jobs are done, so that the lease ends earlier than usual."""
        return self.until_done is not None and self.until_done.done is not None

    @property
    def ends_early(self) -> bool:
        """True if the lease ends earlier than usual because its jobs are done or its heartbeat is lost."""
        return self.ends_when_done or self.heartbeat_end is not None

    @property
    def usual(self) -> Lease | GracefulDestroy | HeartbeatEnd:
        """The holder of the usual `ends_at` and `latest_end`.

        They are the ends that apply without a graceful destroy and without a lost heartbeat.
        """
        return self.graceful_destroy or self.heartbeat_end or self

    @property
    def last_end(self) -> datetime:
        """The latest possible end of the lease without an extension.

        For a flexible end, this is `latest_end`. A graceful destroy or a lost heartbeat doesn't change this time.
        """
        return self.usual.latest_end or self.usual.ends_at

    @property
    def paid_until(self) -> datetime:
        """The latest time until which the machine can run without an extension.

        Unlike `last_end`, this includes the time for which the machine is kept if `/root/on-ending.sh` fails.
        """
        return max(self.last_end, self.kept_until or self.last_end)


class Extension(Frozen):
    """A request for a longer lease that waits for an approver.

    An extension has its own terms. If nobody approves or denies it, it expires at the current end of the lease.
    """

    terms: Terms = Field(alias="envelope")
    ends_at: Instant
    """The new end, if the extension is approved."""
    asked_by: str
    asked_at: Instant
    until_done: bool = False
    """True if the extended lease should also end when the jobs on the machine are done."""


class Ending(Frozen):
    """The outcome of a rental. It is stored when the destruction of the rental's machines begins."""

    outcome: State
    why: Why | None = None
    by: str | None = None
    since: Instant | None = None
    """The time at which the destruction began. None if the rental ended at once, because no machine existed."""


class Alarm(Frozen):
    """An alarm about a deletion that takes too long.

    People are notified repeatedly until the vendor confirms the deletion.
    """

    at: Instant
    """The time at which people are next notified."""
    count: int = 0
    """The number of times that people have been notified."""
    acknowledged_by: str | None = None

    @property
    def can_be_acknowledged(self) -> bool:
        """True if people have been notified of the alarm and nobody has acknowledged it yet."""
        return self.count > 0 and self.acknowledged_by is None


class Rental(Frozen):
    """A rental. The store changes a rental only by compare-and-set on `version` and `state`."""

    id: str
    version: int = 1
    state: State
    quote_id: str | None
    """The ID of the rental's search for offers. None if the machine wasn't rented through the bot."""
    owner: str
    """Slack user ID."""
    project: str = UNASSIGNED
    """The project that is charged. It stays the same if the owner changes."""
    card_channel: str
    request: Request
    teammates: tuple[str, ...] = ()
    """Slack IDs of the people with whom the owner shares the machine."""
    clicked_offer: str
    """The ID of the offer that the person chose. It is tried first. Empty if the rental has no quote."""
    terms: Terms
    """The approved terms. While the request waits for a decision, the requested terms."""
    decision: PendingDecision | None = None
    waitlist_entry: WaitlistEntry | None = None
    """The waitlist entry of the rental's search for offers, as it was approved.

    Set if the machine is bought when a suitable offer is found, or at a start time.
    """
    approved_by: str | None = None
    approval_notice_at: Instant | None = None
    """The time at which to tell the owner that the request was approved, unless the machine is ready by then.

    None if no such notice is needed.
    """
    created_at: Instant
    procuring_since: Instant | None = None
    blocked: Blocked | None = None
    attempts: int = 0
    """The number of purchases that were tried for the rental."""
    gpu: str | None = None
    """The canonical name of the GPU of the last purchase, and later of the machine.

    None before the first purchase, and while the rental waits for a decision.
    """
    rate: Decimal | None = None
    """The price of the last purchase, and later of the machine, in USD per hour."""
    vendor: str | None = None
    vendor_region: str | None = None
    accepted_at: Instant | None = None
    """The time at which the market accepted the purchase of the rental's machine."""
    quiet_since_real: Instant | None = None
    """The wall-clock time since which the machine's SSH port hasn't answered. None if it answers.

    A machine can become ready although its SSH port doesn't answer. The time then stays set until the port
    answers.
    """
    host: str | None = None
    port: int | None = None
    host_key: str | None = None
    """The fingerprint of the machine's SSH host key: `SHA256:...`. None if the machine presented no key.

    The fingerprint is read when the machine becomes ready, or within minutes afterwards.
    """
    lease: Lease | None = None
    """Set when the machine becomes ready. It stays set when the rental is over."""
    use: Use | None = None
    """The latest usage status of the machine. None before the first one, or if the machine gets no probe."""
    probe_answered_at: Instant | None = None
    """The time at which the probe first answered. None if it hasn't answered yet.

    The answer shows that the startup script has run, or that the owner has installed the probe.
    """
    setup_progress: SetupProgress | None = None
    """The progress of the setup script, as last reported by the probe."""
    on_ending: OnEnding | None = None
    """The state of `/root/on-ending.sh`, as the machine last reported it.

    None if the machine lacks the script that starts `/root/on-ending.sh`.
    """
    on_ending_at: Instant | None = None
    """The time at which the state in `on_ending` was first seen."""
    jobs: MachineJobs | None = None
    """The jobs on the machine. None if the machine has reported none yet."""
    progress: Progress | None = None
    """The newest progress of a job. It is stored without a new version of the rental."""
    gpu_health: GpuHealth | None = None
    """The health of the GPUs, with all faults that were ever reported. None if the machine hasn't reported any.

    The notes are those of the latest report that had other notes than the one before.
    """
    token_id: str | None = None
    """The ID of the token with which a program rented the machine. None if a person rented it in Slack."""
    idempotency_key: str | None = None
    """The key of the program's request, by which the program finds the rental again. Unique for each token."""
    program: Program | None = None
    """The program's part of the rental. None if a person rented the machine.

    If the rental gets another owner, the value becomes None too: from then on, it is a person's rental like any
    other. `token_id` stays, because the rental still counts towards the token's total.
    """
    heartbeat_at: Instant | None = None
    """The time of the newest heartbeat. It is stored without a new version of the rental."""
    lost_heartbeat: LostHeartbeat | None = None
    """Set while the program's heartbeat is lost and the owner has been notified of it."""
    replaces: str | None = None
    """The ID of the rental that this one replaces."""
    replaced_by: str | None = None
    """The ID of the rental that replaces this one. A rental is replaced at most once.

    If the replacement ends without getting a machine while this rental is still running, the value becomes None
    again.
    """
    bought_after_backup: bool = False
    """True if a machine of this rental was found on the marketplace account but not in the database.

    The machine's name contains the rental's ID, so it was bought after the backup from which the database was
    restored. Nothing more is bought for the rental, and no message says that the rental cost nothing.
    """
    extension: Extension | None = None
    ending: Ending | None = None
    """The outcome of the rental. Set as soon as the rental is in state `destroying`."""
    alarm: Alarm | None = None
    """The alarm about a slow deletion. Set while a resource of the rental is being deleted."""
    over_at: Instant | None = None
    due_at: Instant | None = None
    """The time at which the bot next works on the rental. None if no work is planned."""

    def lets_in(self, person_id: str) -> bool:
        """Return whether a person is allowed to log in, because they are the owner or a teammate."""
        return person_id in {self.owner, *self.teammates}

    @property
    def waits_again_in(self) -> WaitlistEntry | None:
        """The waitlist entry to which the rental returns if a purchase fails.

        None if the rental then ends, because it has no entry, or because a single search decides about its entry.
        """
        return self.waitlist_entry if self.waitlist_entry is not None and not self.waitlist_entry.once else None

    @property
    def lost(self) -> bool:
        """True if the vendor took the machine away.

        Machines of an earlier purchase can still be in the process of being deleted.
        """
        return self.ending is not None and self.ending.outcome is State.LOST

    @property
    def unreachable(self) -> bool:
        """True if the machine is ready although nothing has answered on its SSH port."""
        return self.state is State.READY and self.quiet_since_real is not None

    @property
    def model(self) -> str:
        """The canonical name of the GPU that was bought. If nothing has been bought, the GPU that was clicked."""
        return self.gpu or self.terms.gpu

    @property
    def undecided_terms(self) -> Terms | None:
        """The terms of the extension or request that waits for a decision. None if no decision is pending."""
        if self.extension is not None:
            return self.extension.terms
        return self.terms if self.state is State.AWAITING_APPROVAL else None

    @property
    def newest_terms(self) -> Terms:
        """The terms that wait for a decision. If no decision is pending, the terms in force."""
        return self.undecided_terms or self.terms

    @property
    def owner_decides(self) -> bool:
        """True if the request waits for the owner's own decision, not for an approver's."""
        return self.decision is not None and self.decision.decider is Decider.OWNER

    @property
    def approver_decides(self) -> bool:
        return self.decision is not None and self.decision.decider is Decider.APPROVER

    @property
    def needs_later_end(self) -> bool:
        """True if too little time remains until the requested end. The owner then has to name a later end."""
        return self.decision is not None and self.decision.why is Why.TOO_LITTLE_TIME

    @property
    def unextended(self) -> Terms:
        """The terms that a new extension changes: the terms in force, without an extension that isn't approved.

        If an earlier extension still waits for a decision, the result has that extension's version number, so that
        the new extension gets a higher one. Buttons of the earlier extension are then recognized as out of date.
        """
        if self.extension is None:
            return self.terms
        return changed(self.terms, version=self.extension.terms.version)

    @property
    def rate_at_most(self) -> Decimal:
        """The machine's price in USD per hour. If it isn't known yet, the highest rate that the terms allow."""
        return self.terms.max_rate if self.rate is None else self.rate

    @property
    def being_destroyed(self) -> bool:
        """True if the machine is being destroyed, even if its `on-ending.sh` is still running before that."""
        graceful = self.lease is not None and self.lease.graceful_destroy is not None
        return graceful or self.state is State.DESTROYING

    @property
    def running_lease(self) -> Lease:
        """The lease of a rental that has been ready.

        Raises ValueError if the rental was never ready: that is a bug in the caller.
        """
        if self.lease is None:
            raise ValueError(f"{self.id} has no lease")
        return self.lease
