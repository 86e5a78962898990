"""Events: what happened to a rental or to the account, and what each kind of event causes."""

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
    GpuMismatchFacts,
    HeldUpFacts,
    HostKeyFacts,
    KeptFacts,
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
    UnusualDayFacts,
    UseFacts,
)
from bot.model.machine_use import UsageStatus
from bot.model.state import State


class EventKind(StrEnum):
    """The kinds of events. `EFFECTS` has a row for each: its facts, who learns of it, what it asks or settles."""

    ASKED = "asked"
    ASKED_AGAIN = "asked_again"
    """People decide again: no offer is inside the envelope, time is short, or buying was blocked too long."""
    CHANGED = "changed"
    APPROVED = "approved"
    APPROVED_NOT_READY = "approved_not_ready"
    """The request was approved a while ago, and its machine is not ready yet."""
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DECIDERS_CHANGED = "deciders_changed"
    """Other people are asked about what waits."""
    APPROVERS_REMINDED = "approvers_reminded"
    OTHERS_ASKED = "others_asked"
    """The people of `approval.then` are asked too."""
    QUEUED = "queued"
    """The rental waits for an offer that fits, or for its start time."""
    OFFER_FITS = "offer_fits"
    """An offer fits a rental that waited for one, and is bought now."""
    QUEUED_AGAIN = "queued_again"
    """All that fitted was sold out, or buying was blocked, so the rental waits on."""
    NOT_ALLOWED_NOW = "not_allowed_now"
    """An offer fits a rental that waits for one, but it can't be bought now. It waits on."""
    NOTHING_FITS = "nothing_fits"
    """The start time is near, and no offer fits."""
    STARTED = "started"
    """The machine is rented without an approval, because it is within the limits."""
    RENTING = "renting"
    """An attempt is intended."""
    NO_ANSWER = "no_answer"
    GIVEN_UP = "given_up"
    """An attempt was accepted but did not get ready. It is being destroyed, and the next one follows."""
    ACCEPTED = "accepted"
    """An attempt bought a machine."""
    BLOCKED = "waiting"
    """Buying is blocked by an outage, a pause, a refused token, or unproven attempts."""
    UNREACHABLE = "silent"
    """The machine runs, but nothing answered on its SSH port. READY follows."""
    READY = "ready"
    TEAMMATE_ADDED = "teammate_added"
    KEPT = "kept"
    """Somebody still needs it."""
    STILL_NEEDED = "still_needed"
    ENDING = "ending"
    EXTENDED = "extended"
    EXTENDED_BY_OPERATOR = "extended_by_operator"
    """The operator extended it although that needs an approver, or decided on the time that waited for one."""
    EXTENSION_ASKED = "extension_asked"
    EXTENSION_APPROVED = "extension_approved"
    EXTENSION_DENIED = "extension_denied"
    EXTENSION_WITHDRAWN = "extension_withdrawn"
    EXTENSION_EXPIRED = "extension_expired"
    END_MOVED = "end_moved"
    """The end came while the machine was in use, and moved on."""
    GRACEFUL_DESTROY = "script_first"
    """Somebody destroys the machine after its `/root/on-ending.sh`. It ends once the script is done."""
    SCRIPT_FAILED = "script_failed"
    """`/root/on-ending.sh` failed before the end."""
    ENDS_AGAIN = "put_back"
    """The database was restored. The owner is notified of the end again."""
    USE_CHANGED = "use_changed"
    """The verdict about its use changed. People are not notified."""
    HOST_KEY_CHANGED = "host_key_changed"
    """The machine's server showed another host key than at the first contact. The key is not trusted."""
    NOBODY_ANSWERS = "nobody_answers"
    """Its owner did not answer the question about an idle machine. The approvers are notified."""
    OWNER_ASKED_AGAIN = "owner_asked_again"
    """An approver wants the owner of an idle machine to be asked again."""
    LEFT_ALONE = "left_alone"
    """An approver said that the machine may stay idle until its end."""
    PROBE_INSTALLED = "probe_installed"
    """Someone says that they installed the probe by hand."""
    GPU_MISMATCH = "not_as_sold"
    """Its GPUs are not those that were sold."""
    KEPT_AS_IT_IS = "kept_as_it_is"
    """The owner keeps the machine, although its GPUs are not those that were sold."""
    NOT_WORKING = "not_working"
    """The owner says that the machine doesn't work, and wants another one in its place."""
    REPLACED = "replaced"
    """Another rental takes this one's place. Once its machine is bought, this one's is destroyed."""
    NOT_REPLACED = "not_replaced"
    """The other rental ended without a machine, so this one stays."""
    ADOPTED = "adopted"
    """A machine that the bot did not know got an owner from an admin."""
    OWNER_CHANGED = "owner_changed"
    """An admin gave the rental another owner, or the new owner took it after GIVEN."""
    ASKED_FOR = "asked_for"
    """Somebody asks the owner for an idle machine."""
    GIVEN = "given"
    """The owner gives the machine to a person, if they take it within `TAKE_WITHIN`."""
    OWNER_LEFT = "owner_left"
    """The owner left the workspace. The admins are asked what happens to the rental."""
    OWNER_LEFT_LATER = "owner_left_later"
    """An admin wants to be asked again about the rental of an owner who left."""
    LOST = "lost"
    DESTROYING = "destroying"
    NOT_CONFIRMED = "not_confirmed"
    ACKNOWLEDGED = "taken_on"
    """Someone said "I'm on it"."""
    ORPHANED_RESOURCE = "extra_resource"
    """A resource appeared for an attempt that was settled or answered with `failed`. It is being deleted."""
    ORPHAN_TERMINATED = "extra_gone"
    ENDED = "ended"
    # About a rental, sent as alerts, which are rendered from the event alone:
    STEP_FAILED = "step_failed"
    """The rental's step failed several times in a row."""
    STEP_WORKS = "step_works"
    """The step works again after STEP_FAILED."""
    DELETED_OVERDUE = "deleted_overdue"
    """The machine still existed long after its end, so it was deleted without the rental's own step."""
    # About the account:
    UNMANAGED_MACHINE = "unknown_machine"
    BOUGHT_AFTER_BACKUP = "older_database"
    """Machines were bought after the backup from which the database was restored. Buying is paused."""
    UNKNOWN_RENTAL = "unknown_rental"
    """Somebody clicked a button about a rental that the store does not know."""
    DIGEST = "digest"
    """The home channel is told what the last week cost."""
    MONTH_FILED = "month_filed"
    """The file of a month is complete. Finance gets it."""
    NO_APPROVER_LEFT = "no_approver_left"
    """No approver is left, so the admins decide."""
    UNAUTHORIZED = "unauthorized"
    """The marketplace refuses our token."""
    AUTHORIZED_AGAIN = "authorized_again"
    BUDGET_ALERT = "budget_alert"
    """What was spent and reserved reached a part of a budget."""
    UNUSUAL_DAY = "unusual_day"
    """Today cost much more so far than a usual day costs in all."""
    APPROVER_AWAY = "approver_away"
    APPROVER_BACK = "approver_back"
    PAUSED = "paused"
    RESUMED = "resumed"
    POLICY_CHANGED = "policy_changed"
    POLICY_REFUSED = "policy_refused"
    """The policy file has mistakes, so the rules from before hold."""
    CHANNELS_CHARGE_LESS = "channels_charge_less"
    """From this version on, channels charge their projects only for approvers and the people these name."""
    # About the account, posted without the outbox:
    NO_READS = "no_reads"
    """The store can't be read, so nothing is deleted."""
    NO_WRITES = "no_writes"
    """The store takes no writes. Owners are notified if a rental of theirs ends soon."""
    WRONG_CLOCK = "wrong_clock"
    """The clock of a machine on which a process of the bot runs is ahead of others, or behind them."""
    STORE_BACK = "store_back"
    """The store works again. Everyone who was notified of its failure is notified of this."""


F = TypeVar("F", bound=Facts, default=Facts)
F_co = TypeVar("F_co", bound=Facts, default=Facts, covariant=True)


class Event(Frozen, Generic[F_co]):
    """Who did what, when and why. It is written in the same transaction as the change."""

    id: int = 0
    """The store sets it; 0 until then."""
    rental_id: str | None
    kind: EventKind
    at: Instant
    actor: str | None = None
    """Slack user id, or the id of OPERATOR. None is the bot itself."""
    facts: F_co = Field(default=Facts(), validate_default=True)

    @field_validator("facts", mode="before")
    @classmethod
    def _of_kind(cls, facts: Any, info: ValidationInfo) -> Any:
        """Return facts of the class that the row of the kind names. In a stored event, they are a mapping."""
        kind: type[Facts] = EFFECTS[info.data["kind"]].facts
        if isinstance(facts, Mapping) or type(facts) is Facts:
            return kind.stored(dict(facts))
        if type(facts) is not kind:
            raise ValueError(f"the facts of {info.data['kind']} are {kind.__name__}")
        return facts

    @property
    def effects(self) -> Effects[Any]:
        """Return what events of this kind cause."""
        return EFFECTS[self.kind]


# --- what each kind of event causes

Condition: TypeAlias = Callable[[Event[F]], bool]


def always(_: Event[Any]) -> bool:
    return True


def never(_: Event[Any]) -> bool:
    return False


def if_it_was_unknown(event: Event[AttemptFacts]) -> bool:
    """Return whether the attempt's outcome was unknown before. Only then the thread promised to say what was
    bought; otherwise the card shows it.
    """
    return event.facts.why is not None


def if_it_waited(event: Event[AttemptFacts]) -> bool:
    """Return whether the rental waited for the offer that was bought."""
    return event.facts.since is not None


def unless_told_before(event: Event[AttemptFacts | HeldUpFacts]) -> bool:
    """Return whether this is the first such failure of a wish, which can fail hundreds of times."""
    return not event.facts.told_before


def unless_unreachable(event: Event[ReadyFacts]) -> bool:
    """Return whether the machine answers. For a silent machine, UNREACHABLE says what is known."""
    return event.facts.why is not Why.SSH_UNREACHABLE


def unless_lease_ended(event: Event[EndedFacts]) -> bool:
    return event.facts.why is not Why.LEASE_ENDED


def if_admins_decide(event: Event[DecidersFacts]) -> bool:
    return bool(event.facts.admins_decide)


def if_fewer_hours(event: Event[DecisionFacts]) -> bool:
    """Return whether an approver approved fewer hours than were asked for."""
    return event.facts.asked_span is not None


def is_in_use(event: Event[StatusFacts], _: Event) -> bool:
    """Return whether the machine was found in use."""
    return event.facts.status is UsageStatus.IN_USE


def is_for_who_asked(event: Event[PeopleFacts], asked: Event) -> bool:
    """Return whether the event is about the person who asked."""
    return asked.actor in event.facts.people


def if_a_person_did_it(event: Event) -> bool:
    """Return whether a person acted. When the bot ends a rental, the owner was notified before, and their newest
    message becomes the receipt.
    """
    return event.actor is not None


def if_a_person_did_it_or_nothing_was_rented(event: Event[EndedFacts]) -> bool:
    nothing_rented = event.facts.end is State.FAILED or event.facts.why is Why.NOTHING_FITTED
    return event.actor is not None or nothing_rented


class To(Enum):
    """Who gets a message of an event."""

    OWNER = auto()
    TEAMMATES = auto()
    TEAMMATES_WITH_KEY = auto()
    """The teammates, without those who were asked for a key before and still have none."""
    TEAMMATES_LET_IN = auto()
    """The people who are let in now. Before the machine is ready, only those who have no key yet."""
    TEAMMATES_WHO_ASKED = auto()
    TEAMMATES_AT_LAST_NOTICE = auto()
    """All teammates, unless a later notice of the same end follows."""
    ADMINS = auto()
    OWNER_OR_ADMINS = auto()
    """The owner if the event is about a rental of theirs, else the admins."""
    FINANCE = auto()
    TOLD_OF_OUTAGE = auto()
    """Everyone who got an alert about the outage that is over."""
    HOME_CHANNEL = auto()
    APPROVERS_CHANNEL = auto()
    APPROVERS_IF_THEY_DECIDE = auto()
    """The approvals channel, if an approver decides what waits, and not its owner."""
    APPROVERS_IF_NOT_ASKED_YET = auto()
    """As APPROVERS_IF_THEY_DECIDE, but not if they were asked about the earlier version: that message then shows
    the new one, and mentions nobody again."""
    OTHERS = auto()
    """The people of `approval.then` whom the event asks too."""
    PEOPLE = auto()
    """Those whom the facts name."""
    GIVER = auto()
    """The earlier owner, if the new one took the machine from them."""


class OpenQuestion(Enum):
    """What a message asks until a later event settles it."""

    REQUEST = auto()
    """For approvers: may it be rented?"""
    EXTENSION = auto()
    """For approvers: may it run for longer?"""
    NEEDED = auto()
    """For the owner: is the machine still needed?"""
    UNANSWERED = auto()
    """For the approvers: what happens to an idle machine whose owner doesn't answer?"""
    END = auto()
    """For the owner: shall the machine run for longer than until this end?"""
    GPU_MISMATCH_OPEN = auto()
    """For the owner: do they keep a machine that is not as sold?"""
    OWNER = auto()
    """For the admins: who gets the rental of somebody who left?"""
    WANTED = auto()
    """For the owner of an idle machine: does the person who asks get it?"""
    TAKE = auto()
    """For a person: do they take the machine that its owner gives them?"""
    TERMINATION = auto()
    """For the owner and the admins: who looks after a machine that is not confirmed gone?"""


@dataclass(frozen=True, kw_only=True)
class Effects(Generic[F]):
    """What an event of one kind says and causes."""

    facts: type[F] = field(default=Facts, kw_only=False)  # type: ignore[assignment]
    thread: Condition[F] = never
    """Whether the card's thread repeats the event. The thread doesn't repeat what the card itself, the first
    "renting", a direct message or an alert says, nor how a machine is used, nor what concerns only people who log
    in."""
    only_in_thread: bool = False
    """Whether no other message shows what the thread says."""
    direct: tuple[To, ...] = ()
    """Who gets a direct message, which is a ping: about something to do or to know now. Nobody gets one about
    their own action. All other events only edit existing messages."""
    direct_if: Condition[F] = always
    alert: tuple[To, ...] = ()
    """Who gets an alert: a message that is rendered from the event alone, and never edited."""
    approvers: tuple[To, ...] = ()
    """Who gets a message with the buttons that decide."""
    question: tuple[To, ...] = ()
    """Who gets a question to the admins, which is stored and answered on its own."""
    reminder: tuple[To, ...] = ()
    """Who gets a reminder. Events of several rentals at the same time share one for each person."""
    file: tuple[To, ...] = ()
    asks: OpenQuestion | None = None
    resolves: tuple[OpenQuestion, ...] = ()
    """The questions of earlier events that this event answers, or replaces by its own."""
    resolves_if: Callable[[Event[F], Event], bool] = lambda _, __: True
    """Given this event and one that asks such a question: whether this event answers it."""
    lengthens: bool = False
    """Whether the event moves the lease's end to a later time."""
    tells_end: bool = False
    """Whether the event's direct message says how the rental ended, and what it cost."""


_E, _Q = EventKind, OpenQuestion
_OWNER = (To.OWNER,)
_IF_THEY_DECIDE = (To.APPROVERS_IF_THEY_DECIDE, To.OTHERS)
_ABOUT_MACHINE = (_Q.UNANSWERED, _Q.WANTED, _Q.TAKE)
"""What nobody needs to answer once the machine ends."""

EFFECTS: dict[EventKind, Effects[Any]] = {
    _E.ASKED: Effects(RequestFacts, approvers=_IF_THEY_DECIDE, asks=_Q.REQUEST),
    _E.ASKED_AGAIN: Effects(
        RequestFacts, thread=always, direct=_OWNER, approvers=_IF_THEY_DECIDE, asks=_Q.REQUEST
    ),
    _E.CHANGED: Effects(
        RequestFacts,
        thread=always,
        approvers=(To.APPROVERS_IF_NOT_ASKED_YET, To.OTHERS),
        asks=_Q.REQUEST,
        resolves=(_Q.REQUEST,),
    ),
    _E.APPROVED: Effects(
        DecisionFacts, thread=always, direct=_OWNER, direct_if=if_fewer_hours, resolves=(_Q.REQUEST,)
    ),
    _E.APPROVED_NOT_READY: Effects(direct=_OWNER),
    _E.DENIED: Effects(EndedFacts, thread=always, direct=_OWNER, resolves=(_Q.REQUEST,), tells_end=True),
    _E.EXPIRED: Effects(EndedFacts, thread=always, direct=_OWNER, resolves=(_Q.REQUEST,), tells_end=True),
    _E.WITHDRAWN: Effects(EndedFacts, thread=always, direct=_OWNER, resolves=(_Q.REQUEST,), tells_end=True),
    _E.DECIDERS_CHANGED: Effects(DecidersFacts, thread=always, direct=_OWNER, direct_if=if_admins_decide),
    _E.APPROVERS_REMINDED: Effects(DecidersFacts, reminder=(To.PEOPLE,)),
    _E.OTHERS_ASKED: Effects(DecidersFacts, thread=always, approvers=(To.OTHERS,)),
    _E.QUEUED: Effects(RequestFacts),
    _E.OFFER_FITS: Effects(OfferFacts),
    _E.QUEUED_AGAIN: Effects(HeldUpFacts, thread=unless_told_before),
    _E.NOT_ALLOWED_NOW: Effects(NotAllowedFacts, thread=always, direct=_OWNER),
    _E.NOTHING_FITS: Effects(OfferFacts, thread=always, direct=_OWNER),
    _E.STARTED: Effects(RequestFacts),
    _E.RENTING: Effects(RentingFacts, thread=unless_told_before),
    _E.NO_ANSWER: Effects(AttemptFacts, thread=unless_told_before, only_in_thread=True),
    _E.GIVEN_UP: Effects(AttemptFacts, thread=always),
    _E.ACCEPTED: Effects(
        AttemptFacts, thread=if_it_was_unknown, only_in_thread=True, direct=_OWNER, direct_if=if_it_waited
    ),
    _E.BLOCKED: Effects(HeldUpFacts, thread=always),
    _E.UNREACHABLE: Effects(ReadyFacts, thread=always),
    _E.READY: Effects(ReadyFacts, thread=unless_unreachable, direct=(To.OWNER, To.TEAMMATES_WITH_KEY)),
    _E.TEAMMATE_ADDED: Effects(
        TeammatesFacts, direct=(To.TEAMMATES_LET_IN,), resolves=(_Q.WANTED,), resolves_if=is_for_who_asked
    ),
    _E.KEPT: Effects(
        KeptFacts, thread=always, direct=(To.PEOPLE,), resolves=(_Q.NEEDED, _Q.UNANSWERED, _Q.WANTED, _Q.TAKE)
    ),
    _E.STILL_NEEDED: Effects(QuestionFacts, direct=_OWNER, asks=_Q.NEEDED, resolves=(_Q.NEEDED,)),
    _E.ENDING: Effects(EndFacts, direct=(To.OWNER, To.TEAMMATES_AT_LAST_NOTICE), asks=_Q.END, resolves=(_Q.END,)),
    _E.EXTENDED: Effects(ExtensionFacts, thread=always, resolves=(_Q.NEEDED, _Q.UNANSWERED), lengthens=True),
    _E.EXTENDED_BY_OPERATOR: Effects(
        ExtensionFacts,
        thread=always,
        direct=(To.OWNER, To.TEAMMATES_WHO_ASKED),
        direct_if=if_fewer_hours,
        resolves=(_Q.NEEDED, _Q.UNANSWERED, _Q.EXTENSION),
        lengthens=True,
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
        lengthens=True,
    ),
    _E.EXTENSION_DENIED: Effects(
        DecisionFacts, thread=always, direct=(To.OWNER, To.TEAMMATES_WHO_ASKED), resolves=(_Q.EXTENSION,)
    ),
    _E.EXTENSION_WITHDRAWN: Effects(DecisionFacts, thread=always, resolves=(_Q.EXTENSION,)),
    _E.EXTENSION_EXPIRED: Effects(DecisionFacts, thread=always, resolves=(_Q.EXTENSION,)),
    _E.END_MOVED: Effects(StatusFacts, lengthens=True),
    _E.GRACEFUL_DESTROY: Effects(
        EndFacts,
        thread=always,
        direct=_OWNER,
        asks=_Q.END,
        resolves=(_Q.NEEDED, _Q.UNANSWERED, _Q.EXTENSION),
    ),
    _E.SCRIPT_FAILED: Effects(EndFacts, direct=_OWNER, asks=_Q.END),
    _E.ENDS_AGAIN: Effects(EndFacts, direct=_OWNER, asks=_Q.END, resolves=(_Q.END,)),
    _E.USE_CHANGED: Effects(StatusFacts, resolves=(_Q.WANTED,), resolves_if=is_in_use),
    _E.HOST_KEY_CHANGED: Effects(HostKeyFacts, direct=(To.OWNER, To.TEAMMATES)),
    _E.NOBODY_ANSWERS: Effects(
        QuestionFacts, approvers=(To.APPROVERS_CHANNEL,), asks=_Q.UNANSWERED, resolves=(_Q.UNANSWERED,)
    ),
    _E.OWNER_ASKED_AGAIN: Effects(AgainFacts, thread=always, resolves=(_Q.UNANSWERED,)),
    _E.LEFT_ALONE: Effects(AgainFacts, thread=always, resolves=(_Q.NEEDED, _Q.UNANSWERED)),
    _E.PROBE_INSTALLED: Effects(),
    _E.GPU_MISMATCH: Effects(GpuMismatchFacts, direct=_OWNER, asks=_Q.GPU_MISMATCH_OPEN),
    _E.KEPT_AS_IT_IS: Effects(resolves=(_Q.GPU_MISMATCH_OPEN,)),
    _E.NOT_WORKING: Effects(SaidFacts, thread=always),
    _E.REPLACED: Effects(PlaceFacts, thread=always),
    _E.NOT_REPLACED: Effects(PlaceFacts, thread=always),
    _E.ADOPTED: Effects(AdoptedFacts, thread=always, direct=_OWNER, asks=_Q.NEEDED),
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
    _E.LOST: Effects(EndedFacts, thread=always, direct=_OWNER, resolves=_ABOUT_MACHINE, tells_end=True),
    _E.DESTROYING: Effects(
        EndedFacts,
        thread=unless_lease_ended,
        direct=_OWNER,
        direct_if=if_a_person_did_it,
        resolves=(_Q.REQUEST, _Q.EXTENSION, *_ABOUT_MACHINE),
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
        resolves=(_Q.REQUEST, _Q.EXTENSION, *_ABOUT_MACHINE),
        tells_end=True,
    ),
    # The card, thread and direct messages of a rental whose step fails may be impossible to render.
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
    _E.NO_READS: Effects(AlertFacts, alert=(To.ADMINS,)),
    _E.NO_WRITES: Effects(AlertFacts, alert=(To.OWNER_OR_ADMINS,)),
    _E.WRONG_CLOCK: Effects(AlertFacts, alert=(To.ADMINS,)),
    _E.UNUSUAL_DAY: Effects(UnusualDayFacts, alert=(To.APPROVERS_CHANNEL,)),
    _E.BUDGET_ALERT: Effects(BudgetAlertFacts, alert=(To.PEOPLE, To.APPROVERS_CHANNEL)),
    _E.STORE_BACK: Effects(AlertFacts, alert=(To.TOLD_OF_OUTAGE,)),
}
"""The one table of what events cause. To change who learns of an event, change its row."""


def facts_in(events: Iterable[Event], kind: type[F]) -> list[F]:
    """Return the facts of a class, or of one that extends it, that these events have."""
    return [event.facts for event in events if isinstance(event.facts, kind)]


def events_after(event: Event, events: Sequence[Event]) -> Sequence[Event]:
    """Return the later events of a rental's history. If the history lacks this event, compare the times."""
    if event not in events:
        return [other for other in events if other.at > event.at]
    return events[events.index(event) + 1 :]


def resolved_by(event: Event, events: Sequence[Event]) -> Event[Any] | None:
    """Return the first event of a rental's history that settles this one's question. Return None if none does."""
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
"""The questions that approvers decide before something is bought."""


def newest_asked(events: Sequence[Event], questions: Collection[OpenQuestion]) -> Event[Any] | None:
    """Return the newest event that asks one of these questions. Return None if there is none."""
    return next((event for event in reversed(events) if event.effects.asks in questions), None)


def newest_version(asked: Event[Any], events: Sequence[Event]) -> Event[Any]:
    """Return the event that asks for the newest version of a request, if `asked` asked for an earlier one and its
    owner only changed it since. A change that no approver decides is no such version. If `asked` only asks more
    people, begin with what they are asked about.
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
    """Return who decides by the newest event that asks approvers or admins. Return None if there is none."""
    found = facts_in(events, DecidersFacts)
    return next((facts for facts in reversed(found) if facts.admins_decide is not None), None)


def open_question(events: Sequence[Event], question: OpenQuestion) -> Event[Any] | None:
    """Return the newest event that asks this question, or None if it is settled or was never asked."""
    asked = newest_asked(events, {question})
    return asked if asked is not None and resolved_by(asked, events) is None else None
