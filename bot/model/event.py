"""Events: the history of each rental and of the account at Compute Clear, and the effects of each kind of event.

An event is stored in the same transaction as the change that it describes. The table `EFFECTS` has a row for each
kind of event. The row says which messages the event causes, and which questions it asks or resolves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any, Generic, TypeAlias

from pydantic import Field, ValidationInfo, field_validator
from typing_extensions import TypeVar

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant
from bot.model.facts import (
    AccountFacts,
    AdoptedFacts,
    AgainFacts,
    AlertFacts,
    AttemptFacts,
    BudgetAlertFacts,
    DecidersFacts,
    DecisionFacts,
    DeletionFacts,
    DigestFacts,
    EndedFacts,
    EndFacts,
    ExtensionFacts,
    Facts,
    GpuFaultFacts,
    GpuMismatchFacts,
    HeartbeatBackFacts,
    HeartbeatEndFacts,
    HeartbeatLostFacts,
    HeldUpFacts,
    HostKeyFacts,
    JobDoneFacts,
    JobsEndedFacts,
    KeptFacts,
    KeptWithoutHeartbeatFacts,
    MonthFiledFacts,
    NotAllowedFacts,
    OfferFacts,
    OwnerChangedFacts,
    PeopleFacts,
    PersonFacts,
    PlaceFacts,
    QuestionFacts,
    ReadyFacts,
    RentingFacts,
    RequestFacts,
    SaidFacts,
    StatusFacts,
    TeammatesFacts,
    TokenFacts,
    UntilFacts,
    UnusualDayFacts,
    UseFacts,
    WebhookFacts,
    WorkGoesOnFacts,
)
from bot.model.machine_use import UsageStatus
from bot.model.state import State
from bot.model.webhook import WebhookEvent


class EventKind(StrEnum):
    """The kinds of events. `EFFECTS` describes what each of them causes."""

    ASKED = "asked"
    ASKED_AGAIN = "asked_again"
    """A new decision is needed: no offer matches the terms, time is short, or buying was blocked too long."""
    CHANGED = "changed"
    APPROVED = "approved"
    APPROVED_NOT_READY = "approved_not_ready"
    """The request was approved a while ago, but its machine isn't ready yet."""
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DECIDERS_CHANGED = "deciders_changed"
    """The people who are asked to approve the waiting requests have changed."""
    APPROVERS_REMINDED = "approvers_reminded"
    OTHERS_ASKED = "others_asked"
    """The people listed under the policy key `approval.then` are asked for the approval as well."""
    QUEUED = "queued"
    """The rental waits for a suitable offer, or for its start time."""
    OFFER_FITS = "offer_fits"
    """A suitable offer for a queued rental was found and is being bought."""
    QUEUED_AGAIN = "queued_again"
    """All suitable offers were sold out, or buying was blocked, so the rental keeps waiting."""
    NOT_ALLOWED_NOW = "not_allowed_now"
    """A suitable offer was found but can't be bought now. The rental keeps waiting."""
    NOTHING_FITS = "nothing_fits"
    """The start time is near, but there is no suitable offer."""
    STARTED = "started"
    """The machine is rented without an approval, because the request is within the limits."""
    RENTING = "renting"
    """A purchase was stored, and the call that buys the machine follows."""
    NO_ANSWER = "no_answer"
    GIVEN_UP = "given_up"
    """The market accepted a purchase, but no machine became ready.

    Everything that was bought is deleted before the next purchase.
    """
    ACCEPTED = "accepted"
    """A machine was bought."""
    BLOCKED = "waiting"
    """Buying is blocked by an outage, a pause, a refused token, or earlier purchases that can still cost money."""
    UNREACHABLE = "silent"
    """The machine is running, but nothing has answered on its SSH port. The event READY follows."""
    READY = "ready"
    TEAMMATE_ADDED = "teammate_added"
    KEPT = "kept"
    """Somebody said that the machine is still needed."""
    STILL_NEEDED = "still_needed"
    ENDING = "ending"
    EXTENDED = "extended"
    EXTENDED_BY_OPERATOR = "extended_by_operator"
    """The operator extended the lease without an approver, or approved or denied a waiting extension."""
    EXTENSION_ASKED = "extension_asked"
    EXTENSION_APPROVED = "extension_approved"
    EXTENSION_DENIED = "extension_denied"
    EXTENSION_WITHDRAWN = "extension_withdrawn"
    EXTENSION_EXPIRED = "extension_expired"
    END_MOVED = "end_moved"
    """The machine was in use at the end of its lease, so the end moved to a later time."""
    GRACEFUL_DESTROY = "script_first"
    """Somebody destroyed the machine gracefully: it ends when its `/root/on-ending.sh` has finished."""
    SCRIPT_FAILED = "script_failed"
    """The owner's script `/root/on-ending.sh` failed before the lease ended."""
    KEPT_AFTER_FAILURE = "kept_after_failure"
    """`/root/on-ending.sh` failed, so the machine is kept until the owner's next working hours."""
    JOBS_ENDED = "jobs_ended"
    """The jobs on the machine have ended, and none is running any more."""
    JOB_DONE = "job_done"
    """The last job has ended. The lease was meant to end when the jobs are done, so it ends soon."""
    WORK_GOES_ON = "work_goes_on"
    """Work was seen after JOB_DONE, so the previous end of the lease was restored."""
    KEPT_WHEN_DONE = "kept_when_done"
    """Somebody decided to keep the machine until the latest end of its lease, even if its jobs are done."""
    NO_JOB = "no_job"
    """The lease ends when its jobs are done, but no job has started for a while."""
    HEARTBEAT_LOST = "heartbeat_lost"
    """No heartbeat of the program has arrived for a while."""
    HEARTBEAT_ENDS = "heartbeat_ends"
    """The end of the lease has moved nearer, because the heartbeat is lost."""
    HEARTBEAT_BACK = "heartbeat_back"
    """The heartbeat is back, or the machine no longer ends because of it for another reason."""
    KEPT_WITHOUT_HEARTBEAT = "kept_without_heartbeat"
    """Somebody decided to keep the machine for a while although its heartbeat is lost."""
    ENDS_AGAIN = "put_back"
    """The database was restored, so the owner is notified again of the end of the lease."""
    USE_CHANGED = "use_changed"
    """The usage status of the machine changed. Nobody is notified."""
    HOST_KEY_CHANGED = "host_key_changed"
    """The machine's SSH server presented another host key than before. The new key isn't trusted."""
    NOBODY_ANSWERS = "nobody_answers"
    """The owner didn't answer the question about an idle machine. The approvers are notified."""
    OWNER_ASKED_AGAIN = "owner_asked_again"
    """An approver wants the owner of an idle machine to be asked again."""
    LEFT_ALONE = "left_alone"
    """An approver said that the machine can stay idle until the lease ends."""
    PROBE_INSTALLED = "probe_installed"
    """Someone said that they installed the probe by hand."""
    GPU_MISMATCH = "not_as_sold"
    """The machine's GPUs aren't those that were sold."""
    GPU_FAULT = "gpu_fault"
    """A GPU of the machine has a fault that wasn't reported before."""
    KEPT_AS_IT_IS = "kept_as_it_is"
    """The machine is kept although its GPUs aren't those that were sold, or are faulty."""
    NOT_WORKING = "not_working"
    """The owner said that the machine doesn't work, and wants another machine in its place."""
    REPLACED = "replaced"
    """Another rental replaces this one. As soon as the new machine is bought, the old one is destroyed."""
    NOT_REPLACED = "not_replaced"
    """The replacement ended without getting a machine, so this rental keeps its machine."""
    ADOPTED = "adopted"
    """An admin gave an owner to an unmanaged machine."""
    OWNER_CHANGED = "owner_changed"
    """The rental has a new owner.

    Either an admin chose the new owner, or a person accepted the machine that was offered with GIVEN.
    """
    ASKED_FOR = "asked_for"
    """Somebody asked the owner for an idle machine."""
    GIVEN = "given"
    """The owner offered the machine to a person, who can accept it within `TAKE_WITHIN`."""
    OWNER_LEFT = "owner_left"
    """The owner left the workspace. The admins are asked what to do with the rental."""
    OWNER_LEFT_LATER = "owner_left_later"
    """An admin postponed the question about a rental whose owner left."""
    LOST = "lost"
    DESTROYING = "destroying"
    NOT_CONFIRMED = "not_confirmed"
    ACKNOWLEDGED = "taken_on"
    """Someone acknowledged an alarm by clicking "I'm on it"."""
    ORPHANED_RESOURCE = "extra_resource"
    """A resource of a closed or failed purchase appeared. It is being deleted."""
    ORPHAN_TERMINATED = "extra_gone"
    ENDED = "ended"
    # These events are about one rental and are sent as alerts. The text of an alert depends only on the event, and
    # not on the rental.
    STEP_FAILED = "step_failed"
    """The code that advances the rental failed several times in a row."""
    STEP_WORKS = "step_works"
    """The code that advances the rental works again after STEP_FAILED."""
    DELETED_OVERDUE = "deleted_overdue"
    """The machine was deleted as overdue, because it hadn't been deleted when the lease ended."""
    # Events about the account.
    UNMANAGED_MACHINE = "unknown_machine"
    BOUGHT_AFTER_BACKUP = "older_database"
    """The database was restored, and machines were found that were bought after its backup. Buying is paused."""
    UNKNOWN_RENTAL = "unknown_rental"
    """Somebody clicked a button about a rental that isn't in the database."""
    DIGEST = "digest"
    """The home channel gets the cost of the last week."""
    MONTH_FILED = "month_filed"
    """The CSV file with the charges of a month is complete. The people of `finance` receive it."""
    NO_APPROVER_LEFT = "no_approver_left"
    """No approver is left, so the admins approve or deny requests."""
    UNAUTHORIZED = "unauthorized"
    """The marketplace refuses the bot's token."""
    AUTHORIZED_AGAIN = "authorized_again"
    BUDGET_ALERT = "budget_alert"
    """The money spent and reserved has reached an alert threshold of a budget."""
    UNUSUAL_DAY = "unusual_day"
    """Today has already cost much more than a whole usual day."""
    APPROVER_AWAY = "approver_away"
    APPROVER_BACK = "approver_back"
    PAUSED = "paused"
    RESUMED = "resumed"
    POLICY_CHANGED = "policy_changed"
    POLICY_REFUSED = "policy_refused"
    """The policy file has mistakes, so the previous rules stay in force."""
    CHANNELS_CHARGE_LESS = "channels_charge_less"
    """Because of an upgrade, a request in a project's channel isn't always charged to the project any more.

    The request is charged to the project if it comes from an approver, or from a person whom the project names.
    """
    WEBHOOK_FAILS = "webhook_fails"
    """A receiver of webhooks hasn't accepted an event for a while."""
    WEBHOOK_WORKS = "webhook_works"
    """A receiver of webhooks accepts events again after WEBHOOK_FAILS."""
    # These events are about a token, with which a program rents machines.
    TOKEN_ASKED = "token_asked"  # noqa: S105 - the kind of an event, not a secret
    """Terms of a token exceed the limits, so an approver has to decide about them."""
    TOKEN_OTHERS_ASKED = "token_others_asked"  # noqa: S105
    """The people listed under the policy key `approval.then` are asked about the terms of a token as well."""
    TOKEN_REMINDED = "token_reminded"  # noqa: S105
    """Approvers who haven't decided about the terms of a token for a while get the question directly."""
    TOKEN_APPROVED = "token_approved"  # noqa: S105
    TOKEN_DENIED = "token_denied"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    """The token, or a request for its terms, expired. The token's machines keep running until their leases end."""
    TOKEN_STOPPED = "token_stopped"  # noqa: S105
    """Somebody stopped the token and ended its machines, or its owner left."""
    TOKEN_CROWDED = "token_crowded"  # noqa: S105
    """The token asked for more machines than its terms allow."""
    # These events are about the whole account. They are posted to Slack directly and not stored in the database
    # first, because the database may be the problem.
    NO_READS = "no_reads"
    """The database can't be read, so nothing is deleted."""
    NO_WRITES = "no_writes"
    """The database accepts no writes. Owners whose rentals end soon are notified."""
    WRONG_CLOCK = "wrong_clock"
    """The clock of a machine that runs a bot process is ahead of other clocks, or behind them."""
    STORE_BACK = "store_back"
    """The database works again. Everyone who was notified of the failure is notified of the recovery."""


F = TypeVar("F", bound=Facts, default=Facts)
F_co = TypeVar("F_co", bound=Facts, default=Facts, covariant=True)


class Event(Frozen, Generic[F_co]):
    """A stored record of a change: who made it, when and why."""

    id: int = 0
    """The ID that the store assigns. 0 before the event is stored."""
    rental_id: str | None
    kind: EventKind
    at: Instant
    actor: str | None = None
    """Slack user ID, or the ID of OPERATOR. None if the bot itself acted."""
    facts: F_co = Field(default=Facts(), validate_default=True)

    @field_validator("facts", mode="before")
    @classmethod
    def _of_kind(cls, facts: Any, info: ValidationInfo) -> Any:
        """Convert the facts to the class that `EFFECTS` names for this kind of event.

        When an event is read from the database, its facts are a plain mapping.
        """
        kind: type[Facts] = EFFECTS[info.data["kind"]].facts
        if isinstance(facts, Mapping) or type(facts) is Facts:
            return kind.stored(dict(facts))
        if type(facts) is not kind:
            raise ValueError(f"the facts of {info.data['kind']} are {kind.__name__}")
        return facts

    @property
    def effects(self) -> Effects[Any]:
        """The effects of this kind of event: its row of `EFFECTS`."""
        return EFFECTS[self.kind]


# --- what each kind of event causes

Condition: TypeAlias = Callable[[Event[F]], bool]


def always(_: Event[Any]) -> bool:
    return True


def never(_: Event[Any]) -> bool:
    return False


def if_it_was_unknown(event: Event[AttemptFacts]) -> bool:
    """Return whether the outcome of the purchase was unknown before.

    If it was, an earlier reply in the thread promised to say what was bought. If it wasn't, only the card shows
    the purchase.
    """
    return event.facts.why is not None


def if_it_waited(event: Event[AttemptFacts]) -> bool:
    """Return whether the rental had to wait for the offer that was bought."""
    return event.facts.since is not None


def unless_told_before(event: Event[AttemptFacts | HeldUpFacts]) -> bool:
    """Return whether this is the first failure with this vendor and reason in the rental's thread.

    While a rental is on the waitlist, purchases at one vendor can fail hundreds of times for the same reason. Only
    the first failure gets a reply.
    """
    return not event.facts.told_before


def unless_unreachable(event: Event[ReadyFacts]) -> bool:
    """Return whether the machine can be reached over SSH.

    If it can't, the event UNREACHABLE has already said everything that is known.
    """
    return event.facts.why is not Why.SSH_UNREACHABLE


def unless_lease_ended(event: Event[EndedFacts]) -> bool:
    return event.facts.why is not Why.LEASE_ENDED


def if_admins_decide(event: Event[DecidersFacts]) -> bool:
    return bool(event.facts.admins_decide)


def if_others_decide(event: Event[DecidersFacts]) -> bool:
    """Return whether approvers or admins were asked to decide, instead of the owner."""
    return event.facts.admins_decide is not None


def if_fewer_hours(event: Event[DecisionFacts]) -> bool:
    """Return whether an approver approved fewer hours than were requested."""
    return event.facts.asked_span is not None


def if_idle(event: Event[StatusFacts]) -> bool:
    """Return whether the machine was found idle."""
    return event.facts.status is UsageStatus.IDLE


def is_in_use(event: Event[StatusFacts], _: Event) -> bool:
    """Return whether the machine was found in use."""
    return event.facts.status is UsageStatus.IN_USE


def is_about_heartbeat(_: Event[Any], asked: Event) -> bool:
    """Return whether the earlier event `asked` was about a lost heartbeat."""
    return asked.kind in {EventKind.HEARTBEAT_LOST, EventKind.HEARTBEAT_ENDS}


def is_for_who_asked(event: Event[PeopleFacts], asked: Event) -> bool:
    """Return whether the person who caused the earlier event `asked` is named in this event's facts."""
    return asked.actor in event.facts.people


def if_a_person_did_it(event: Event) -> bool:
    """Return whether a person caused the event.

    If the bot itself ends a rental, the owner already has a message about the end. The bot then turns that message
    into the receipt and sends no second message.
    """
    return event.actor is not None


def unless_a_person_did_it(event: Event) -> bool:
    return event.actor is None


def if_a_person_did_it_or_nothing_was_rented(event: Event[EndedFacts]) -> bool:
    nothing_rented = event.facts.end is State.FAILED or event.facts.why is Why.NOTHING_FITTED
    return event.actor is not None or nothing_rented


def if_it_restores_the_end(event: Event[HeartbeatBackFacts | KeptWithoutHeartbeatFacts]) -> bool:
    """Return whether the lease gets back the end that it had before its heartbeat was lost."""
    return event.facts.until is not None


class To(Enum):
    """The recipients of an event's messages."""

    OWNER = auto()
    TEAMMATES = auto()
    TEAMMATES_WITH_KEY = auto()
    """The teammates, except those who were already asked for a key and still have none."""
    TEAMMATES_LET_IN = auto()
    """The people who are now given access to the machine.

    Before the machine is ready, only the people without a key get a message. The message asks them for a key.
    """
    TEAMMATES_WHO_ASKED = auto()
    TEAMMATES_AT_LAST_NOTICE = auto()
    """All teammates, but only for the last notice of the lease's end. Earlier notices aren't sent to them."""
    ADMINS = auto()
    OWNER_OR_ADMINS = auto()
    """The owner if the event is about their rental, otherwise the admins."""
    FINANCE = auto()
    TOLD_OF_OUTAGE = auto()
    """Everyone who got an alert about the outage that is now over."""
    HOME_CHANNEL = auto()
    APPROVERS_CHANNEL = auto()
    APPROVERS_IF_THEY_DECIDE = auto()
    """The approvals channel, if an approver has to decide. Nobody if the owner decides alone."""
    APPROVERS_IF_NOT_ASKED_YET = auto()
    """Like APPROVERS_IF_THEY_DECIDE, but only if approvers weren't asked about an earlier version.

    If they were asked about an earlier version of the request, their existing message is edited to show the new
    version. Nobody is mentioned a second time.
    """
    OTHERS = auto()
    """The people of `approval.then` who are asked because of this event."""
    PEOPLE = auto()
    """The people whom the event's facts name."""
    GIVER = auto()
    """The previous owner, if the new owner accepted the machine from them."""


class OpenQuestion(Enum):
    """A question that a message asks. It is open until a later event resolves it."""

    REQUEST = auto()
    """For approvers: do they allow this rental?"""
    EXTENSION = auto()
    """For approvers: do they allow the machine to run longer?"""
    NEEDED = auto()
    """For the owner: is the machine still needed?"""
    UNANSWERED = auto()
    """For the approvers: what should happen to an idle machine whose owner doesn't answer?"""
    END = auto()
    """For the owner: should the machine run longer?"""
    HEARTBEAT = auto()
    """For the owner: should a machine keep running although its heartbeat is lost?"""
    GPU_MISMATCH_OPEN = auto()
    """For the owner: do they keep a machine whose GPUs aren't those that were sold, or are faulty?"""
    OWNER = auto()
    """For the admins: who becomes the owner of the rental of somebody who left?"""
    WANTED = auto()
    """For the owner of an idle machine: does the person who asked for the machine get it?"""
    TAKE = auto()
    """For a person: do they accept the machine that its owner offers them?"""
    TERMINATION = auto()
    """For the owner and the admins: who takes care of a machine whose deletion isn't confirmed?"""


@dataclass(frozen=True, kw_only=True)
class Effects(Generic[F]):
    """The messages that an event of one kind causes, and the questions that those messages ask or resolve."""

    facts: type[F] = field(default=Facts, kw_only=False)  # type: ignore[assignment]
    thread: Condition[F] = never
    """The condition under which a reply about the event is posted in the card's thread.

    There is no reply if another message already says what happened: the card itself, the first "renting" reply, a
    direct message or an alert. There is also no reply to events about the use of a machine, or about the people
    who log in.
    """
    only_in_thread: bool = False
    """True if no message other than the reply in the thread says what happened.

    If a program rented the machine, only such events have a reply, because the program's card is a single line and
    a program can rent many machines.
    """
    answers_app: bool = False
    """True if the thread in which a Slack app asked for the rental gets a reply that a card's thread doesn't get.

    The app sees neither the card nor direct messages. Its thread also gets all replies that the thread of a
    person's card would get (`thread`).
    """
    direct: tuple[To, ...] = ()
    """The people who get a direct message. Slack notifies them of it.

    A direct message says something that the person must do or know now. Nobody gets a direct message about their
    own action. Events without direct messages only cause edits of existing messages.
    """
    direct_if: Condition[F] = always
    program_knows: Condition[F] = never
    """The condition under which the owner gets no direct message if a program rented the machine.

    The program caused the event itself, or learns of it from the API's answers. The owner still gets each message
    that asks for a decision, that warns, or that reports the action of another person.
    """
    alert: tuple[To, ...] = ()
    """The people who get an alert: a message that is rendered from the event alone and never edited."""
    approvers: tuple[To, ...] = ()
    """The people who get a message with buttons to approve or deny a request."""
    token_request: tuple[To, ...] = ()
    """The people who get a message with buttons to approve or deny the terms of a token."""
    question: tuple[To, ...] = ()
    """The people who get a message with an `AdminQuestion`. The question and its answer are stored separately."""
    reminder: tuple[To, ...] = ()
    """The people who get a reminder.

    If several rentals cause reminders at the same time, each person gets only one.
    """
    file: tuple[To, ...] = ()
    asks: OpenQuestion | None = None
    resolves: tuple[OpenQuestion, ...] = ()
    """The questions of earlier events that this event answers, or replaces with its own question."""
    resolves_if: Callable[[Event[F], Event], bool] = lambda _, __: True
    """The condition under which this event resolves a question.

    The function gets this event and the event that asked the question.
    """
    lengthens: Condition[F] = never
    """The condition under which the event moves the end of the lease to a later time."""
    webhook: WebhookEvent | None = None
    """The name under which webhooks receive the event. None if it has no name of its own.

    Some names also depend on the change of the rental: END_CHANGED, and whether ENDED becomes ENDING, or
    APPROVAL_REQUESTED becomes REQUESTED (`notifications.webhook_names`).
    """
    webhook_if: Condition[F] = always
    """The condition under which the event has this name."""
    tells_end: bool = False
    """True if the event's direct message is a receipt: it states how the rental ended and its cost."""


_E, _Q, _W = EventKind, OpenQuestion, WebhookEvent
_OWNER = (To.OWNER,)
_IF_THEY_DECIDE = (To.APPROVERS_IF_THEY_DECIDE, To.OTHERS)
_ABOUT_MACHINE = (_Q.UNANSWERED, _Q.WANTED, _Q.TAKE)
"""The questions that nobody needs to answer once the machine is destroyed."""

EFFECTS: dict[EventKind, Effects[Any]] = {
    _E.ASKED: Effects(RequestFacts, approvers=_IF_THEY_DECIDE, asks=_Q.REQUEST, webhook=_W.APPROVAL_REQUESTED),
    _E.ASKED_AGAIN: Effects(
        RequestFacts,
        thread=always,
        direct=_OWNER,
        program_knows=if_others_decide,
        approvers=_IF_THEY_DECIDE,
        asks=_Q.REQUEST,
        webhook=_W.APPROVAL_REQUESTED,
    ),
    _E.CHANGED: Effects(
        RequestFacts,
        thread=always,
        approvers=(To.APPROVERS_IF_NOT_ASKED_YET, To.OTHERS),
        asks=_Q.REQUEST,
        resolves=(_Q.REQUEST,),
        webhook=_W.APPROVAL_REQUESTED,
    ),
    _E.APPROVED: Effects(
        DecisionFacts,
        thread=always,
        direct=_OWNER,
        direct_if=if_fewer_hours,
        program_knows=always,
        resolves=(_Q.REQUEST,),
        webhook=_W.APPROVED,
    ),
    _E.APPROVED_NOT_READY: Effects(direct=_OWNER, program_knows=always),
    _E.DENIED: Effects(
        EndedFacts,
        thread=always,
        direct=_OWNER,
        program_knows=always,
        resolves=(_Q.REQUEST,),
        tells_end=True,
        webhook=_W.ENDED,
    ),
    _E.EXPIRED: Effects(
        EndedFacts,
        thread=always,
        direct=_OWNER,
        program_knows=always,
        resolves=(_Q.REQUEST,),
        tells_end=True,
        webhook=_W.ENDED,
    ),
    _E.WITHDRAWN: Effects(
        EndedFacts,
        thread=always,
        direct=_OWNER,
        program_knows=always,
        resolves=(_Q.REQUEST,),
        tells_end=True,
        webhook=_W.ENDED,
    ),
    _E.DECIDERS_CHANGED: Effects(
        DecidersFacts, thread=always, direct=_OWNER, direct_if=if_admins_decide, program_knows=always
    ),
    _E.APPROVERS_REMINDED: Effects(DecidersFacts, reminder=(To.PEOPLE,)),
    _E.OTHERS_ASKED: Effects(DecidersFacts, thread=always, approvers=(To.OTHERS,)),
    _E.QUEUED: Effects(RequestFacts, answers_app=True, webhook=_W.REQUESTED),
    _E.OFFER_FITS: Effects(OfferFacts),
    _E.QUEUED_AGAIN: Effects(HeldUpFacts, thread=unless_told_before),
    _E.NOT_ALLOWED_NOW: Effects(NotAllowedFacts, thread=always, direct=_OWNER, program_knows=always),
    _E.NOTHING_FITS: Effects(OfferFacts, thread=always, direct=_OWNER, program_knows=always),
    _E.STARTED: Effects(RequestFacts, webhook=_W.REQUESTED),
    _E.RENTING: Effects(RentingFacts, thread=unless_told_before),
    _E.NO_ANSWER: Effects(AttemptFacts, thread=unless_told_before, only_in_thread=True),
    _E.GIVEN_UP: Effects(AttemptFacts, thread=always),
    _E.ACCEPTED: Effects(
        AttemptFacts,
        thread=if_it_was_unknown,
        only_in_thread=True,
        direct=_OWNER,
        direct_if=if_it_waited,
        program_knows=always,
        webhook=_W.STARTING,
    ),
    _E.BLOCKED: Effects(HeldUpFacts, thread=always),
    _E.UNREACHABLE: Effects(ReadyFacts, thread=always),
    _E.READY: Effects(
        ReadyFacts,
        thread=unless_unreachable,
        direct=(To.OWNER, To.TEAMMATES_WITH_KEY),
        program_knows=always,
        webhook=_W.READY,
    ),
    _E.TEAMMATE_ADDED: Effects(
        TeammatesFacts, direct=(To.TEAMMATES_LET_IN,), resolves=(_Q.WANTED,), resolves_if=is_for_who_asked
    ),
    _E.KEPT: Effects(
        KeptFacts, thread=always, direct=(To.PEOPLE,), resolves=(_Q.NEEDED, _Q.UNANSWERED, _Q.WANTED, _Q.TAKE)
    ),
    _E.STILL_NEEDED: Effects(QuestionFacts, direct=_OWNER, asks=_Q.NEEDED, resolves=(_Q.NEEDED,)),
    _E.ENDING: Effects(
        EndFacts,
        direct=(To.OWNER, To.TEAMMATES_AT_LAST_NOTICE),
        program_knows=always,
        asks=_Q.END,
        resolves=(_Q.END,),
        webhook=_W.ENDS_SOON,
    ),
    _E.EXTENDED: Effects(ExtensionFacts, thread=always, resolves=(_Q.NEEDED, _Q.UNANSWERED), lengthens=always),
    _E.EXTENDED_BY_OPERATOR: Effects(
        ExtensionFacts,
        thread=always,
        direct=(To.OWNER, To.TEAMMATES_WHO_ASKED),
        direct_if=if_fewer_hours,
        resolves=(_Q.NEEDED, _Q.UNANSWERED, _Q.EXTENSION),
        lengthens=always,
    ),
    _E.EXTENSION_ASKED: Effects(
        ExtensionFacts,
        thread=always,
        approvers=(To.APPROVERS_CHANNEL, To.OTHERS),
        asks=_Q.EXTENSION,
        resolves=(_Q.NEEDED, _Q.UNANSWERED),
    ),
    _E.EXTENSION_APPROVED: Effects(
        DecisionFacts,
        thread=always,
        direct=(To.OWNER, To.TEAMMATES_WHO_ASKED),
        direct_if=if_fewer_hours,
        resolves=(_Q.EXTENSION,),
        lengthens=always,
    ),
    _E.EXTENSION_DENIED: Effects(
        DecisionFacts, thread=always, direct=(To.OWNER, To.TEAMMATES_WHO_ASKED), resolves=(_Q.EXTENSION,)
    ),
    _E.EXTENSION_WITHDRAWN: Effects(DecisionFacts, thread=always, resolves=(_Q.EXTENSION,)),
    _E.EXTENSION_EXPIRED: Effects(DecisionFacts, thread=always, resolves=(_Q.EXTENSION,)),
    _E.END_MOVED: Effects(StatusFacts, lengthens=always),
    _E.GRACEFUL_DESTROY: Effects(
        EndFacts,
        thread=always,
        direct=_OWNER,
        asks=_Q.END,
        resolves=(_Q.NEEDED, _Q.UNANSWERED, _Q.EXTENSION),
        webhook=_W.ENDING,
    ),
    _E.SCRIPT_FAILED: Effects(EndFacts, direct=_OWNER, asks=_Q.END),
    _E.KEPT_AFTER_FAILURE: Effects(
        EndFacts, answers_app=True, direct=_OWNER, asks=_Q.END, resolves=(_Q.END,), lengthens=always
    ),
    _E.JOBS_ENDED: Effects(
        JobsEndedFacts, direct=_OWNER, asks=_Q.NEEDED, resolves=(_Q.NEEDED,), webhook=_W.JOB_ENDED
    ),
    _E.JOB_DONE: Effects(
        JobDoneFacts,
        thread=always,
        direct=(To.OWNER, To.TEAMMATES),
        program_knows=always,
        asks=_Q.END,
        resolves=(_Q.END, _Q.NEEDED),
        webhook=_W.JOB_ENDED,
    ),
    _E.WORK_GOES_ON: Effects(WorkGoesOnFacts, thread=always, resolves=(_Q.END,), lengthens=always),
    _E.KEPT_WHEN_DONE: Effects(UntilFacts, thread=always, resolves=(_Q.END, _Q.NEEDED), lengthens=always),
    _E.NO_JOB: Effects(QuestionFacts, direct=_OWNER, asks=_Q.NEEDED, resolves=(_Q.NEEDED,)),
    _E.HEARTBEAT_LOST: Effects(
        HeartbeatLostFacts,
        direct=_OWNER,
        asks=_Q.HEARTBEAT,
        resolves=(_Q.HEARTBEAT, _Q.NEEDED),
        webhook=_W.HEARTBEAT_LOST,
    ),
    _E.HEARTBEAT_ENDS: Effects(
        HeartbeatEndFacts,
        thread=always,
        direct=(To.OWNER, To.TEAMMATES),
        asks=_Q.END,
        resolves=(_Q.END, _Q.HEARTBEAT, _Q.NEEDED),
    ),
    _E.HEARTBEAT_BACK: Effects(
        HeartbeatBackFacts,
        thread=if_it_restores_the_end,
        resolves=(_Q.HEARTBEAT, _Q.END),
        resolves_if=is_about_heartbeat,
        lengthens=if_it_restores_the_end,
        webhook=_W.HEARTBEAT_BACK,
    ),
    _E.KEPT_WITHOUT_HEARTBEAT: Effects(
        KeptWithoutHeartbeatFacts,
        thread=always,
        resolves=(_Q.HEARTBEAT, _Q.END),
        resolves_if=is_about_heartbeat,
        lengthens=if_it_restores_the_end,
    ),
    _E.ENDS_AGAIN: Effects(EndFacts, direct=_OWNER, asks=_Q.END, resolves=(_Q.END,)),
    _E.USE_CHANGED: Effects(
        StatusFacts, resolves=(_Q.WANTED,), resolves_if=is_in_use, webhook=_W.IDLE, webhook_if=if_idle
    ),
    _E.HOST_KEY_CHANGED: Effects(HostKeyFacts, direct=(To.OWNER, To.TEAMMATES)),
    _E.NOBODY_ANSWERS: Effects(
        QuestionFacts, approvers=(To.APPROVERS_CHANNEL,), asks=_Q.UNANSWERED, resolves=(_Q.UNANSWERED,)
    ),
    _E.OWNER_ASKED_AGAIN: Effects(AgainFacts, thread=always, resolves=(_Q.UNANSWERED,)),
    _E.LEFT_ALONE: Effects(AgainFacts, thread=always, resolves=(_Q.NEEDED, _Q.UNANSWERED)),
    _E.PROBE_INSTALLED: Effects(),
    _E.GPU_MISMATCH: Effects(GpuMismatchFacts, direct=_OWNER, asks=_Q.GPU_MISMATCH_OPEN, webhook=_W.GPU_FAULT),
    _E.GPU_FAULT: Effects(
        GpuFaultFacts,
        direct=_OWNER,
        asks=_Q.GPU_MISMATCH_OPEN,
        resolves=(_Q.GPU_MISMATCH_OPEN,),
        webhook=_W.GPU_FAULT,
    ),
    _E.KEPT_AS_IT_IS: Effects(resolves=(_Q.GPU_MISMATCH_OPEN,)),
    _E.NOT_WORKING: Effects(SaidFacts, thread=always),
    _E.REPLACED: Effects(PlaceFacts, thread=always),
    _E.NOT_REPLACED: Effects(PlaceFacts, thread=always),
    _E.ADOPTED: Effects(AdoptedFacts, thread=always, direct=_OWNER, asks=_Q.NEEDED, webhook=_W.READY),
    _E.OWNER_CHANGED: Effects(
        OwnerChangedFacts,
        thread=always,
        direct=(To.OWNER, To.GIVER),
        asks=_Q.NEEDED,
        resolves=(_Q.OWNER, _Q.UNANSWERED, _Q.WANTED, _Q.TAKE),
    ),
    _E.ASKED_FOR: Effects(UseFacts, direct=_OWNER, asks=_Q.WANTED),
    _E.GIVEN: Effects(PersonFacts, direct=(To.PEOPLE,), asks=_Q.TAKE, resolves=(_Q.TAKE, _Q.WANTED)),
    _E.OWNER_LEFT: Effects(PersonFacts, question=(To.ADMINS,), asks=_Q.OWNER, resolves=(_Q.UNANSWERED,)),
    _E.OWNER_LEFT_LATER: Effects(AgainFacts),
    _E.LOST: Effects(
        EndedFacts, thread=always, direct=_OWNER, resolves=_ABOUT_MACHINE, tells_end=True, webhook=_W.ENDED
    ),
    _E.DESTROYING: Effects(
        EndedFacts,
        thread=unless_lease_ended,
        direct=_OWNER,
        direct_if=if_a_person_did_it,
        resolves=(_Q.REQUEST, _Q.EXTENSION, *_ABOUT_MACHINE),
        webhook=_W.ENDED,
    ),
    _E.NOT_CONFIRMED: Effects(
        DeletionFacts, thread=always, direct=(To.OWNER, To.ADMINS), asks=_Q.TERMINATION, resolves=(_Q.TERMINATION,)
    ),
    _E.ACKNOWLEDGED: Effects(thread=always),
    _E.ORPHANED_RESOURCE: Effects(DeletionFacts, thread=always, only_in_thread=True),
    _E.ORPHAN_TERMINATED: Effects(DeletionFacts, thread=always, only_in_thread=True),
    _E.ENDED: Effects(
        EndedFacts,
        thread=always,
        direct=_OWNER,
        direct_if=if_a_person_did_it_or_nothing_was_rented,
        program_knows=unless_a_person_did_it,
        resolves=(_Q.REQUEST, _Q.EXTENSION, *_ABOUT_MACHINE),
        tells_end=True,
        webhook=_W.ENDED,
    ),
    # These events are only sent as alerts, and the text of an alert depends only on the event. If a bug makes the
    # work on a rental fail, rendering the rental's other messages may fail as well.
    _E.STEP_FAILED: Effects(AlertFacts, alert=(To.OWNER, To.ADMINS)),
    _E.STEP_WORKS: Effects(AlertFacts, alert=(To.OWNER, To.ADMINS)),
    _E.DELETED_OVERDUE: Effects(AlertFacts, alert=(To.OWNER, To.ADMINS)),
    _E.UNMANAGED_MACHINE: Effects(AccountFacts, question=(To.ADMINS,)),
    _E.BOUGHT_AFTER_BACKUP: Effects(AccountFacts, question=(To.ADMINS,)),
    _E.DIGEST: Effects(DigestFacts, alert=(To.HOME_CHANNEL,)),
    _E.MONTH_FILED: Effects(MonthFiledFacts, file=(To.FINANCE,)),
    _E.UNKNOWN_RENTAL: Effects(AlertFacts, alert=(To.ADMINS,)),
    _E.NO_APPROVER_LEFT: Effects(AccountFacts, alert=(To.ADMINS,)),
    _E.UNAUTHORIZED: Effects(alert=(To.ADMINS,)),
    _E.AUTHORIZED_AGAIN: Effects(alert=(To.ADMINS,)),
    _E.APPROVER_AWAY: Effects(AgainFacts),
    _E.APPROVER_BACK: Effects(),
    _E.PAUSED: Effects(SaidFacts, alert=(To.ADMINS, To.HOME_CHANNEL)),
    _E.RESUMED: Effects(SaidFacts, alert=(To.ADMINS, To.HOME_CHANNEL)),
    _E.POLICY_CHANGED: Effects(AccountFacts, alert=(To.ADMINS,)),
    _E.POLICY_REFUSED: Effects(AccountFacts, alert=(To.ADMINS,)),
    _E.CHANNELS_CHARGE_LESS: Effects(AccountFacts, alert=(To.ADMINS,)),
    _E.TOKEN_ASKED: Effects(TokenFacts, token_request=(To.APPROVERS_CHANNEL, To.OTHERS)),
    _E.TOKEN_OTHERS_ASKED: Effects(TokenFacts, token_request=(To.OTHERS,)),
    _E.TOKEN_REMINDED: Effects(TokenFacts, token_request=(To.PEOPLE,)),
    _E.TOKEN_APPROVED: Effects(TokenFacts, alert=_OWNER),
    _E.TOKEN_DENIED: Effects(TokenFacts, alert=_OWNER),
    _E.TOKEN_EXPIRED: Effects(TokenFacts, alert=_OWNER),
    _E.TOKEN_STOPPED: Effects(TokenFacts, alert=_OWNER),
    _E.TOKEN_CROWDED: Effects(TokenFacts, alert=_OWNER),
    _E.NO_READS: Effects(AlertFacts, alert=(To.ADMINS,)),
    _E.NO_WRITES: Effects(AlertFacts, alert=(To.OWNER_OR_ADMINS,)),
    _E.WRONG_CLOCK: Effects(AlertFacts, alert=(To.ADMINS,)),
    _E.UNUSUAL_DAY: Effects(UnusualDayFacts, alert=(To.APPROVERS_CHANNEL,)),
    _E.WEBHOOK_FAILS: Effects(WebhookFacts, alert=(To.ADMINS,)),
    _E.WEBHOOK_WORKS: Effects(WebhookFacts, alert=(To.ADMINS,)),
    _E.BUDGET_ALERT: Effects(BudgetAlertFacts, alert=(To.PEOPLE, To.APPROVERS_CHANNEL)),
    _E.STORE_BACK: Effects(AlertFacts, alert=(To.TOLD_OF_OUTAGE,)),
}
"""The effects of every kind of event. To change who learns of an event, change the row of its kind."""


def facts_in(events: Iterable[Event], kind: type[F]) -> list[F]:
    """Return all facts in these events that are instances of the given class."""
    return [event.facts for event in events if isinstance(event.facts, kind)]


def events_after(event: Event, events: Sequence[Event]) -> Sequence[Event]:
    """Return the events that come after this one in a rental's history.

    If the history doesn't include this event, the times are compared instead.
    """
    if event not in events:
        return [other for other in events if other.at > event.at]
    return events[events.index(event) + 1 :]


def resolved_by(event: Event, events: Sequence[Event]) -> Event[Any] | None:
    """Return the first later event that resolves the question that this event asks, or None.

    An event can cause a message with a question, for example whether to approve a request. The approval is then
    the event that resolves the question.

    Args:
        events: The history of the rental.
    """
    question = event.effects.asks
    return next(
        (
            other
            for other in events_after(event, events)
            if question in other.effects.resolves and other.effects.resolves_if(other, event)
        ),
        None,
    )


DECISIONS = frozenset({OpenQuestion.REQUEST, OpenQuestion.EXTENSION})
"""The questions that approvers have to answer before money is spent."""


def newest_asked(events: Sequence[Event], questions: Collection[OpenQuestion]) -> Event[Any] | None:
    """Return the newest event whose messages ask one of these questions. None if there is none."""
    return next((event for event in reversed(events) if event.effects.asks in questions), None)


def newest_version(asked: Event[Any], events: Sequence[Event]) -> Event[Any]:
    """Return the event after which approvers were asked about the newest version of a request.

    Approvers were asked to decide after the event `asked`. If the owner then changed the request so that approvers
    were asked again, the event of the last change is returned. Otherwise, `asked` is returned.

    After an OTHERS_ASKED event, more people are asked an earlier question. If `asked` is an OTHERS_ASKED event,
    the search therefore starts at the event of the earlier question.
    """
    if asked.kind is EventKind.OTHERS_ASKED:
        before = [event for event in events if event.id < asked.id]
        asked = newest_asked(before, DECISIONS) or asked
    for event in events_after(asked, events):
        if asked.effects.asks is not OpenQuestion.REQUEST or event.effects.asks is not OpenQuestion.REQUEST:
            continue
        if event.kind is not EventKind.CHANGED or deciders_in([event]) is None:
            break
        asked = event
    return asked


def deciders_in(events: Sequence[Event]) -> DecidersFacts | None:
    """Return the facts of the newest event after which approvers or admins were asked to decide, or None."""
    found = facts_in(events, DecidersFacts)
    return next((facts for facts in reversed(found) if facts.admins_decide is not None), None)


def open_question(events: Sequence[Event], question: OpenQuestion) -> Event[Any] | None:
    """Return the newest event that asks this question. None if it was resolved or never asked."""
    asked = newest_asked(events, {question})
    return asked if asked is not None and resolved_by(asked, events) is None else None
