"""Events: what happened to a rental or to the account, and what each kind of event causes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum, auto

from bot.errors import BuyingBlock
from bot.model.attempt import Why
from bot.model.base import Frozen, Instant
from bot.model.budget import Balance, Demand
from bot.model.machine_use import GpusSeen, Use, Verdict
from bot.model.money import Micros
from bot.model.spend import Digest
from bot.model.state import State


class EventKind(StrEnum):
    """The kinds of events. `EFFECTS` has a row for each: who learns of it, and what it asks or settles."""

    ASKED = "asked"
    """An approver decides. `facts.envelope` is the version that waits."""
    ASKED_AGAIN = "asked_again"
    """People decide again: no offer is inside the envelope, too little time is left, or buying was blocked too
    long."""
    CHANGED = "changed"
    APPROVED = "approved"
    APPROVED_NOT_READY = "approved_not_ready"
    """The request was approved a while ago, and its machine is not ready yet."""
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DECIDERS_CHANGED = "deciders_changed"
    """Other people, `facts.people`, are asked about what waits. `facts.admins_decide` tells that no approver is
    left."""
    APPROVERS_REMINDED = "approvers_reminded"
    """Approvers, `facts.people`, were reminded of what waits."""
    OTHERS_ASKED = "others_asked"
    """The people of `approval.then`, `facts.then`, are asked too. `facts.away` has the approvers if all of them
    are away."""
    QUEUED = "queued"
    """The rental waits for an offer that fits, or for its start time. `facts.until` is when it ends if none
    fits."""
    OFFER_FITS = "offer_fits"
    """An offer fits a rental that waited for one, and is bought now. `facts.since` is since when it waited."""
    QUEUED_AGAIN = "queued_again"
    """All that fitted was sold out, or buying was blocked (`facts.why`), so the rental waits on until
    `facts.until`."""
    NOT_ALLOWED_NOW = "not_allowed_now"
    """An offer fits a rental that waits for one, but it can't be bought now. It waits on.

    If buying is blocked for everyone, `facts.block` says why, `facts.name` who paused it, and `facts.detail` has
    their words. Otherwise `facts.detail` says what the rules don't allow."""
    NOTHING_FITS = "nothing_fits"
    """The start time is near, and no offer fits. `facts.rate` is the cheapest one, if there is one, and
    `facts.max_rate` what its owner allowed."""
    STARTED = "started"
    """The machine is rented without an approval, because it is within the limits."""
    RENTING = "renting"
    """An attempt is intended. `facts.before_vendor` is the vendor of the attempt before it, if any."""
    NO_ANSWER = "no_answer"
    GIVEN_UP = "given_up"
    """An attempt was accepted but did not get ready. It is being destroyed, and the next one follows."""
    ACCEPTED = "accepted"
    """An attempt bought a machine. `facts.why` is set if its outcome was unknown before (NO_ANSWER)."""
    BLOCKED = "waiting"
    """Buying is blocked by an outage, a pause, a refused token, or unproven attempts. `facts.count` is the number
    of unproven attempts, and `facts.end` is set if no other offer fits."""
    SILENT = "silent"
    """The machine runs, but nothing answered on its SSH port. READY follows, with `facts.why`."""
    READY = "ready"
    TEAMMATE_ADDED = "teammate_added"
    """Its owner lets more people in: `facts.people`."""
    KEPT = "kept"
    """Somebody still needs it. `facts.people` are those who asked for it (ASKED_FOR) and wait for an answer."""
    STILL_NEEDED = "still_needed"
    ENDING = "ending"
    EXTENDED = "extended"
    EXTENDED_BY_OPERATOR = "extended_by_operator"
    """The operator extended it although that needs an approver, or decided on the time that waited for one. The
    budgets that do not hold it are `facts.passed`."""
    EXTENSION_ASKED = "extension_asked"
    EXTENSION_APPROVED = "extension_approved"
    EXTENSION_DENIED = "extension_denied"
    EXTENSION_WITHDRAWN = "extension_withdrawn"
    EXTENSION_EXPIRED = "extension_expired"
    END_MOVED = "end_moved"
    """The end came while the machine was in use, and moved on to `facts.until`."""
    SCRIPT_FIRST = "script_first"
    """Somebody destroys the machine after its `/root/on-ending.sh`. It ends once the script is done, at
    `facts.until` at the latest."""
    SCRIPT_FAILED = "script_failed"
    """`/root/on-ending.sh` failed with `facts.exit_status`, before the end at `facts.until`."""
    ENDS_AGAIN = "put_back"
    """The database was restored. The owner is notified that the rental ends at `facts.until` again."""
    USE_CHANGED = "use_changed"
    """The verdict about its use changed to `facts.verdict`, since `facts.since`. People are not notified."""
    HOST_KEY_CHANGED = "host_key_changed"
    """The machine's server showed another host key than at the first contact. The key is not trusted."""
    NOBODY_ANSWERS = "nobody_answers"
    """Its owner did not answer the question about an idle machine. The approvers are notified."""
    OWNER_ASKED_AGAIN = "owner_asked_again"
    """An approver wants the owner of an idle machine to be asked again, at `facts.until`."""
    LEFT_ALONE = "left_alone"
    """An approver said that the machine may stay idle until its end."""
    PROBE_INSTALLED = "probe_installed"
    """Someone says that they installed the probe by hand."""
    NOT_AS_SOLD = "not_as_sold"
    """Its GPUs, `facts.gpus_seen`, are not those that were sold: `facts.count` of `facts.gpu`."""
    KEPT_AS_IT_IS = "kept_as_it_is"
    """The owner keeps the machine, although its GPUs are not those that were sold."""
    NOT_WORKING = "not_working"
    """The owner says that the machine doesn't work, `facts.detail`, and wants another one in its place."""
    REPLACED = "replaced"
    """Another rental, `facts.name`, takes this one's place. `facts.why` is set if this one was lost. If it still
    runs, it is destroyed once the other machine is bought."""
    NOT_REPLACED = "not_replaced"
    """The other rental, `facts.name`, ended without a machine, so this one stays. `facts.amount` is what the other
    rental cost."""
    ADOPTED = "adopted"
    """A machine that the bot did not know got an owner, `facts.people`, from an admin."""
    OWNER_CHANGED = "owner_changed"
    """An admin gave the rental another owner, or the new owner took it after GIVEN. `facts.people` is the earlier
    owner, then the new one."""
    ASKED_FOR = "asked_for"
    """Somebody asks the owner for an idle machine."""
    GIVEN = "given"
    """The owner gives the machine to a person, `facts.people`, if they take it within `TAKE_WITHIN`. It ends at
    `facts.until`."""
    OWNER_LEFT = "owner_left"
    """The owner, `facts.people`, left the workspace. The admins are asked what happens to the rental."""
    OWNER_LEFT_LATER = "owner_left_later"
    """An admin wants to be asked about the rental of an owner who left again, at `facts.until`."""
    LOST = "lost"
    DESTROYING = "destroying"
    NOT_CONFIRMED = "not_confirmed"
    TAKEN_ON = "taken_on"
    """Someone said "I'm on it"."""
    EXTRA_RESOURCE = "extra_resource"
    """A resource appeared for an attempt that was settled or answered with `failed` (`facts.why`). It is being
    deleted."""
    EXTRA_GONE = "extra_gone"
    ENDED = "ended"
    # About a rental, sent as alerts, which are rendered from the event alone:
    STEP_FAILED = "step_failed"
    """The rental's step failed several times in a row. `facts.number` is in the log. `facts.until` is when its
    machine is deleted in any case, if that is known."""
    STEP_WORKS = "step_works"
    """The step works again after STEP_FAILED."""
    DELETED_OVERDUE = "deleted_overdue"
    """The machine still existed long after its end, so it was deleted without the rental's own step."""
    # About the account:
    UNKNOWN_MACHINE = "unknown_machine"
    BOUGHT_AFTER_BACKUP = "older_database"
    """The database was restored, and the account has machines, `facts.count`, that were bought after the backup.
    Buying is paused."""
    UNKNOWN_RENTAL = "unknown_rental"
    """Somebody clicked a button about a rental, `facts.name`, that the store does not know."""
    DIGEST = "digest"
    """The home channel is told what the last week cost: `facts.digest`."""
    MONTH_FILED = "month_filed"
    """The file of a month, `facts.month`, is complete: `facts.amount` for `facts.count` rentals. Finance gets
    it."""
    NO_APPROVER_LEFT = "no_approver_left"
    """No approver is left, so the admins decide. `facts.count` requests wait."""
    UNAUTHORIZED = "unauthorized"
    """The marketplace refuses our token."""
    AUTHORIZED_AGAIN = "authorized_again"
    BUDGET_ALERT = "budget_alert"
    """What was spent and reserved, `facts.balance`, reached a part of a budget, `facts.total`. `facts.people` is
    the person whose click reached it."""
    UNUSUAL_DAY = "unusual_day"
    """Today cost `facts.amount` so far, and a usual day costs `facts.estimate`. `facts.dearest` made it dear."""
    APPROVER_AWAY = "approver_away"
    """An approver is away until `facts.until`."""
    APPROVER_BACK = "approver_back"
    PAUSED = "paused"
    RESUMED = "resumed"
    POLICY_CHANGED = "policy_changed"
    """Another policy file came into force as version `facts.count`. `facts.detail` names the keys that changed."""
    POLICY_REFUSED = "policy_refused"
    """The policy file has mistakes, `facts.count`, so the rules from before hold. `facts.detail` has a line for
    each of the first ones."""
    CHANNELS_CHARGE_LESS = "channels_charge_less"
    """From this version on, channels charge their projects only for the people that these name, and for approvers.
    `facts.detail` has a line for each channel: its id and its project."""
    # About the account, posted without the outbox:
    NO_READS = "no_reads"
    """The store can't be read, so nothing is deleted."""
    NO_WRITES = "no_writes"
    """The store takes no writes. With `facts.name`, the event is for the owner of that rental, which ends soon."""
    WRONG_CLOCK = "wrong_clock"
    """The clock of a machine on which a process of the bot runs, `facts.name`, is ahead of others by `facts.span`,
    or behind them if that is negative. `facts.detail` says whose the others are: `database` or `witnesses`."""
    STORE_BACK = "store_back"
    """The store works again. Everyone who was notified of its failure is notified of this."""


class LeftOut(Frozen):
    """What a purchase does not bring onto the machine, although the owner wanted it."""

    refused: bool = False
    """Whether the place takes no boot script, so that the purchase has none."""
    setup: str | None = None
    """The name of a set-up script that doesn't run."""
    probe: bool = False
    """The probe is not installed, so the bot can't see whether the machine is used."""
    key_count: int = 0
    """How many keys don't get in."""
    people: tuple[str, ...] = ()
    """Slack ids of teammates who have no key."""


class DearRental(Frozen):
    """What a rental cost on an unusually dear day."""

    rental_id: str
    owner: str
    """Slack id of the person who was charged."""
    amount: Micros


class OtherOffer(Frozen):
    """The cheapest offer beside the one that was clicked."""

    vendor: str
    vendor_region: str | None = None
    rate: Decimal
    """USD per hour for the whole offer."""


class Facts(Frozen):
    """The facts of an event as they were when it happened. Each kind uses some of these."""

    vendor: str | None = None
    vendor_region: str | None = None
    rate: Decimal | None = None
    before: Decimal | None = None
    """The `rate` or `max_rate` before this event."""
    before_vendor: str | None = None
    """The vendor of the attempt that failed before this one."""
    clicked: Decimal | None = None
    """The price that was clicked or approved. Set if an earlier attempt failed."""
    max_rate: Decimal | None = None
    total: Micros | None = None
    envelope: int | None = None
    """The version of the envelope that the event is about."""
    why: Why | None = None
    detail: str | None = None
    """The market's own words, or those of the person who acted. Data, never markup. In BOUGHT_AFTER_BACKUP,
    `empty` if the database has no rental."""
    admins_decide: bool | None = None
    """Whether the admins are asked because no approver is left who may decide."""
    read_at: Instant | None = None
    """When the price, `rate`, and that of the `other` offer were read."""
    other: OtherOffer | None = None
    """In a request for approval. None if there was no other offer, or if none is known."""
    span: timedelta | None = None
    asked_span: timedelta | None = None
    """If fewer hours were approved, `span`: the length that was asked for."""
    hours: timedelta | None = None
    """The whole lease."""
    until: Instant | None = None
    ask_before: Instant | None = None
    """Until when an approver can be asked for more time, in a notice of the end that comes because of that."""
    since: Instant | None = None
    offer: str | None = None
    """In NOTHING_FITS, the id of the cheapest offer."""
    starts_at: Instant | None = None
    digest: Digest | None = None
    month: str | None = None
    """Such as `2026-11`."""
    amount: Micros | None = None
    estimate: Micros | None = None
    estimated: bool | None = None
    resource_id: str | None = None
    more_resources: tuple[str, ...] = ()
    """In NOT_CONFIRMED, the ids of the other resources that may still bill."""
    name: str | None = None
    """A resource's name, the id of another rental, or the rental's own id in an event that is sent as an alert."""
    gpu: str | None = None
    before_gpu: str | None = None
    """The GPU that was clicked, if `gpu` is one that doesn't fit it."""
    count: int | None = None
    people: tuple[str, ...] | None = None
    """Slack ids."""
    then: tuple[str, ...] | None = None
    """The people of `approval.then` who are asked by this event. They are among `people`."""
    away: tuple[str, ...] | None = None
    """The approvers who are not asked because they are away."""
    without_key: tuple[str, ...] | None = None
    """The people among `people` who had no SSH key, so that they are asked for one. In READY, the teammates who
    were asked for one before and still have none."""
    end: State | None = None
    """The state in which the rental ends."""
    paid: bool | None = None
    """Whether the attempt cost anything. None if the store doesn't know."""
    self_approved: bool | None = None
    number: str | None = None
    """The number of a run of failed steps, as in the log."""
    verdict: Verdict | None = None
    use: Use | None = None
    """The evidence of the verdict."""
    gpus_seen: GpusSeen | None = None
    exit_status: int | None = None
    """The exit status of a script. None if the machine doesn't say."""
    host_key: str | None = None
    """The fingerprint of a host key that is not trusted: `SHA256:...`."""
    before_host_key: str | None = None
    """The fingerprint that was expected instead."""
    balance: Balance | None = None
    """The money of a budget's month when an alert was given. `total` is the budget."""
    dearest: tuple[DearRental, ...] = ()
    """The rentals that cost most on an unusual day, the dearest first."""
    passed: tuple[Demand, ...] = ()
    """The budgets that did not hold what was approved."""
    left_out: LeftOut | None = None
    """What the boot script of a purchase lacks. None if it lacks nothing."""
    block: BuyingBlock | None = None
    """Why nothing is bought for anyone."""
    owner_unconfirmed: bool | None = None
    """In OFFER_FITS, whether Slack's last answer about the owner counted, because it gave no new one in time."""
    told_before: bool | None = None
    """Whether the thread of a rental with a wish has a reply that says the same."""


class Event(Frozen):
    """Who did what, when and why. It is written in the same transaction as the change."""

    id: int = 0
    """The store sets it; 0 until then."""
    rental_id: str | None
    kind: EventKind
    at: Instant
    actor: str | None = None
    """Slack user id, or the id of OPERATOR. None is the bot itself."""
    facts: Facts = Facts()

    @property
    def effects(self) -> Effects:
        """Return what events of this kind cause."""
        return EFFECTS[self.kind]


# --- what each kind of event causes

Condition = Callable[[Event], bool]


def always(_: Event) -> bool:
    return True


def never(_: Event) -> bool:
    return False


def if_it_was_unknown(event: Event) -> bool:
    """Return whether the attempt's outcome was unknown before. Only then the thread promised to say what was
    bought; otherwise the card shows it."""
    return event.facts.why is not None


def if_it_waited(event: Event) -> bool:
    """Return whether the rental waited for the offer that was bought."""
    return event.facts.since is not None


def if_a_wish_ended(event: Event) -> bool:
    return event.facts.why is Why.NOTHING_FITTED


def unless_told_before(event: Event) -> bool:
    """Return whether this is the first such failure of a wish, which can fail hundreds of times."""
    return not event.facts.told_before


def unless_silent(event: Event) -> bool:
    """Return whether the machine answers. For a silent machine, SILENT says what is known."""
    return event.facts.why is not Why.SSH_SILENT


def unless_lease_ended(event: Event) -> bool:
    return event.facts.why is not Why.LEASE_ENDED


def if_admins_decide(event: Event) -> bool:
    return bool(event.facts.admins_decide)


def if_fewer_hours(event: Event) -> bool:
    """Return whether an approver approved fewer hours than were asked for."""
    return event.facts.asked_span is not None


def is_in_use(event: Event, _: Event) -> bool:
    """Return whether the machine was found in use."""
    return event.facts.verdict is Verdict.IN_USE


def is_for_who_asked(event: Event, asked: Event) -> bool:
    """Return whether the event is about the person who asked."""
    return asked.actor in (event.facts.people or ())


def if_a_person_did_it(event: Event) -> bool:
    """Return whether a person acted. When the bot ends a rental, the owner was notified before, and their newest
    message becomes the receipt."""
    return event.actor is not None


def if_a_person_did_it_or_nothing_was_rented(event: Event) -> bool:
    return event.actor is not None or event.facts.end is State.FAILED or if_a_wish_ended(event)


class To(Enum):
    """Who gets a message of an event."""

    OWNER = auto()
    TEAMMATES = auto()
    TEAMMATES_WITH_KEY = auto()
    """The teammates, without those who were asked for a key before and still have none."""
    TEAMMATES_LET_IN = auto()
    """The people who are let in now, if the machine is ready. Before that, only those of them who have no key
    yet."""
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
    """The people of `approval.then` whom the event asks too: `facts.then`."""
    PEOPLE = auto()
    """Those in `facts.people`."""
    GIVER = auto()
    """The earlier owner, the first of `facts.people`, if the new one took the machine from them."""


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
    AS_SOLD = auto()
    """For the owner: do they keep a machine that is not as sold?"""
    OWNER = auto()
    """For the admins: who gets the rental of somebody who left?"""
    WANTED = auto()
    """For the owner of an idle machine: does the person who asks get it?"""
    TAKE = auto()
    """For a person: do they take the machine that its owner gives them?"""
    GONE = auto()
    """For the owner and the admins: who looks after a machine that is not confirmed gone?"""


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What an event of one kind causes."""

    thread: Condition = never
    """Whether the card's thread repeats the event. The thread doesn't repeat what the card itself, the first
    "renting", a direct message or an alert says, nor how a machine is used, nor what concerns only people who log
    in."""
    only_in_thread: bool = False
    """Whether no other message shows what the thread says."""
    direct: tuple[To, ...] = ()
    """Who gets a direct message, which is a ping: about something to do or to know now. Nobody gets one about
    their own action. All other events only edit existing messages."""
    direct_if: Condition = always
    alert: tuple[To, ...] = ()
    """Who gets an alert: a message that is rendered from the event alone, and never edited."""
    approvers: tuple[To, ...] = ()
    """Who gets a message with the buttons that decide."""
    question: tuple[To, ...] = ()
    """Who gets a question to the admins, which is stored and answered on its own."""
    reminder: tuple[To, ...] = ()
    """Who gets a reminder. Events of several rentals at the same time share one for each person."""
    file: tuple[To, ...] = ()
    """Who gets a file."""
    asks: OpenQuestion | None = None
    settles: tuple[OpenQuestion, ...] = ()
    """The questions of earlier events that this event answers, or replaces by its own."""
    settles_if: Callable[[Event, Event], bool] = lambda _, __: True
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

EFFECTS: dict[EventKind, Effects] = {
    _E.ASKED: Effects(approvers=_IF_THEY_DECIDE, asks=_Q.REQUEST),
    _E.ASKED_AGAIN: Effects(thread=always, direct=_OWNER, approvers=_IF_THEY_DECIDE, asks=_Q.REQUEST),
    _E.CHANGED: Effects(
        thread=always, approvers=(To.APPROVERS_IF_NOT_ASKED_YET, To.OTHERS), asks=_Q.REQUEST, settles=(_Q.REQUEST,)
    ),
    _E.APPROVED: Effects(thread=always, direct=_OWNER, direct_if=if_fewer_hours, settles=(_Q.REQUEST,)),
    _E.APPROVED_NOT_READY: Effects(direct=_OWNER),
    _E.DENIED: Effects(thread=always, direct=_OWNER, settles=(_Q.REQUEST,), tells_end=True),
    _E.EXPIRED: Effects(thread=always, direct=_OWNER, settles=(_Q.REQUEST,), tells_end=True),
    _E.WITHDRAWN: Effects(thread=always, direct=_OWNER, settles=(_Q.REQUEST,), tells_end=True),
    _E.DECIDERS_CHANGED: Effects(thread=always, direct=_OWNER, direct_if=if_admins_decide),
    _E.APPROVERS_REMINDED: Effects(reminder=(To.PEOPLE,)),
    _E.OTHERS_ASKED: Effects(thread=always, approvers=(To.OTHERS,)),
    _E.QUEUED: Effects(),
    _E.OFFER_FITS: Effects(),
    _E.QUEUED_AGAIN: Effects(thread=unless_told_before),
    _E.NOT_ALLOWED_NOW: Effects(thread=always, direct=_OWNER),
    _E.NOTHING_FITS: Effects(thread=always, direct=_OWNER),
    _E.STARTED: Effects(),
    _E.RENTING: Effects(thread=unless_told_before),
    _E.NO_ANSWER: Effects(thread=unless_told_before, only_in_thread=True),
    _E.GIVEN_UP: Effects(thread=always),
    _E.ACCEPTED: Effects(thread=if_it_was_unknown, only_in_thread=True, direct=_OWNER, direct_if=if_it_waited),
    _E.BLOCKED: Effects(thread=always),
    _E.SILENT: Effects(thread=always),
    _E.READY: Effects(thread=unless_silent, direct=(To.OWNER, To.TEAMMATES_WITH_KEY)),
    _E.TEAMMATE_ADDED: Effects(direct=(To.TEAMMATES_LET_IN,), settles=(_Q.WANTED,), settles_if=is_for_who_asked),
    _E.KEPT: Effects(thread=always, direct=(To.PEOPLE,), settles=(_Q.NEEDED, _Q.UNANSWERED, _Q.WANTED, _Q.TAKE)),
    _E.STILL_NEEDED: Effects(direct=_OWNER, asks=_Q.NEEDED, settles=(_Q.NEEDED,)),
    _E.ENDING: Effects(direct=(To.OWNER, To.TEAMMATES_AT_LAST_NOTICE), asks=_Q.END, settles=(_Q.END,)),
    _E.EXTENDED: Effects(thread=always, settles=(_Q.NEEDED, _Q.UNANSWERED), lengthens=True),
    _E.EXTENDED_BY_OPERATOR: Effects(
        thread=always,
        direct=(To.OWNER, To.TEAMMATES_WHO_ASKED),
        direct_if=if_fewer_hours,
        settles=(_Q.NEEDED, _Q.UNANSWERED, _Q.EXTENSION),
        lengthens=True,
    ),
    _E.EXTENSION_ASKED: Effects(
        thread=always,
        approvers=(To.APPROVERS_CHANNEL, To.OTHERS),
        asks=_Q.EXTENSION,
        settles=(_Q.NEEDED, _Q.UNANSWERED),
    ),
    _E.EXTENSION_APPROVED: Effects(
        thread=always,
        direct=(To.OWNER, To.TEAMMATES_WHO_ASKED),
        direct_if=if_fewer_hours,
        settles=(_Q.EXTENSION,),
        lengthens=True,
    ),
    _E.EXTENSION_DENIED: Effects(
        thread=always, direct=(To.OWNER, To.TEAMMATES_WHO_ASKED), settles=(_Q.EXTENSION,)
    ),
    _E.EXTENSION_WITHDRAWN: Effects(thread=always, settles=(_Q.EXTENSION,)),
    _E.EXTENSION_EXPIRED: Effects(thread=always, settles=(_Q.EXTENSION,)),
    _E.END_MOVED: Effects(lengthens=True),
    _E.SCRIPT_FIRST: Effects(
        thread=always,
        direct=_OWNER,
        asks=_Q.END,
        settles=(_Q.NEEDED, _Q.UNANSWERED, _Q.EXTENSION),
    ),
    _E.SCRIPT_FAILED: Effects(direct=_OWNER, asks=_Q.END),
    _E.ENDS_AGAIN: Effects(direct=_OWNER, asks=_Q.END, settles=(_Q.END,)),
    _E.USE_CHANGED: Effects(settles=(_Q.WANTED,), settles_if=is_in_use),
    _E.HOST_KEY_CHANGED: Effects(direct=(To.OWNER, To.TEAMMATES)),
    _E.NOBODY_ANSWERS: Effects(approvers=(To.APPROVERS_CHANNEL,), asks=_Q.UNANSWERED, settles=(_Q.UNANSWERED,)),
    _E.OWNER_ASKED_AGAIN: Effects(thread=always, settles=(_Q.UNANSWERED,)),
    _E.LEFT_ALONE: Effects(thread=always, settles=(_Q.NEEDED, _Q.UNANSWERED)),
    _E.PROBE_INSTALLED: Effects(),
    _E.NOT_AS_SOLD: Effects(direct=_OWNER, asks=_Q.AS_SOLD),
    _E.KEPT_AS_IT_IS: Effects(settles=(_Q.AS_SOLD,)),
    _E.NOT_WORKING: Effects(thread=always),
    _E.REPLACED: Effects(thread=always),
    _E.NOT_REPLACED: Effects(thread=always),
    _E.ADOPTED: Effects(thread=always, direct=_OWNER, asks=_Q.NEEDED),
    _E.OWNER_CHANGED: Effects(
        thread=always,
        direct=(To.OWNER, To.GIVER),
        asks=_Q.NEEDED,
        settles=(_Q.OWNER, _Q.UNANSWERED, _Q.WANTED, _Q.TAKE),
    ),
    _E.ASKED_FOR: Effects(direct=_OWNER, asks=_Q.WANTED),
    _E.GIVEN: Effects(direct=(To.PEOPLE,), asks=_Q.TAKE, settles=(_Q.TAKE, _Q.WANTED)),
    _E.OWNER_LEFT: Effects(question=(To.ADMINS,), asks=_Q.OWNER, settles=(_Q.UNANSWERED,)),
    _E.OWNER_LEFT_LATER: Effects(),
    _E.LOST: Effects(thread=always, direct=_OWNER, settles=_ABOUT_MACHINE, tells_end=True),
    _E.DESTROYING: Effects(
        thread=unless_lease_ended,
        direct=_OWNER,
        direct_if=if_a_person_did_it,
        settles=(_Q.REQUEST, _Q.EXTENSION, *_ABOUT_MACHINE),
    ),
    _E.NOT_CONFIRMED: Effects(thread=always, direct=(To.OWNER, To.ADMINS), asks=_Q.GONE, settles=(_Q.GONE,)),
    _E.TAKEN_ON: Effects(thread=always),
    _E.EXTRA_RESOURCE: Effects(thread=always, only_in_thread=True),
    _E.EXTRA_GONE: Effects(thread=always, only_in_thread=True),
    _E.ENDED: Effects(
        thread=always,
        direct=_OWNER,
        direct_if=if_a_person_did_it_or_nothing_was_rented,
        settles=(_Q.REQUEST, _Q.EXTENSION, *_ABOUT_MACHINE),
        tells_end=True,
    ),
    # The card, thread and direct messages of a rental whose step fails may be impossible to render.
    _E.STEP_FAILED: Effects(alert=(To.OWNER, To.ADMINS)),
    _E.STEP_WORKS: Effects(alert=(To.OWNER, To.ADMINS)),
    _E.DELETED_OVERDUE: Effects(alert=(To.OWNER, To.ADMINS)),
    _E.UNKNOWN_MACHINE: Effects(question=(To.ADMINS,)),
    _E.BOUGHT_AFTER_BACKUP: Effects(question=(To.ADMINS,)),
    _E.DIGEST: Effects(alert=(To.HOME_CHANNEL,)),
    _E.MONTH_FILED: Effects(file=(To.FINANCE,)),
    _E.UNKNOWN_RENTAL: Effects(alert=(To.ADMINS,)),
    _E.NO_APPROVER_LEFT: Effects(alert=(To.ADMINS,)),
    _E.UNAUTHORIZED: Effects(alert=(To.ADMINS,)),
    _E.AUTHORIZED_AGAIN: Effects(alert=(To.ADMINS,)),
    _E.APPROVER_AWAY: Effects(),
    _E.APPROVER_BACK: Effects(),
    _E.PAUSED: Effects(alert=(To.ADMINS, To.HOME_CHANNEL)),
    _E.RESUMED: Effects(alert=(To.ADMINS, To.HOME_CHANNEL)),
    _E.POLICY_CHANGED: Effects(alert=(To.ADMINS,)),
    _E.POLICY_REFUSED: Effects(alert=(To.ADMINS,)),
    _E.CHANNELS_CHARGE_LESS: Effects(alert=(To.ADMINS,)),
    _E.NO_READS: Effects(alert=(To.ADMINS,)),
    _E.NO_WRITES: Effects(alert=(To.OWNER_OR_ADMINS,)),
    _E.WRONG_CLOCK: Effects(alert=(To.ADMINS,)),
    _E.UNUSUAL_DAY: Effects(alert=(To.APPROVERS_CHANNEL,)),
    _E.BUDGET_ALERT: Effects(alert=(To.PEOPLE, To.APPROVERS_CHANNEL)),
    _E.STORE_BACK: Effects(alert=(To.TOLD_OF_OUTAGE,)),
}
"""The one table of what events cause. To change who learns of an event, change its row."""


def events_after(event: Event, events: Sequence[Event]) -> Sequence[Event]:
    """Return the events of a rental's history that come after this one. If the history lacks this event, compare
    the times."""
    if event not in events:
        return [other for other in events if other.at > event.at]
    return events[events.index(event) + 1 :]


def settled_by(event: Event, events: Sequence[Event]) -> Event | None:
    """Return the first event of a rental's history that settles the question of this event. Return None if the
    question is still open."""
    question = event.effects.asks
    return next(
        (
            other
            for other in events_after(event, events)
            if question in other.effects.settles and other.effects.settles_if(other, event)
        ),
        None,
    )


DECISIONS = frozenset({OpenQuestion.REQUEST, OpenQuestion.EXTENSION})
"""The questions that approvers decide before something is bought."""


def newest_asked(events: Sequence[Event], questions: Collection[OpenQuestion]) -> Event | None:
    """Return the newest event that asks one of these questions. Return None if there is none."""
    return next((event for event in reversed(events) if event.effects.asks in questions), None)


def newest_version(asked: Event, events: Sequence[Event]) -> Event:
    """Return the event that asks for the newest version of a request, if `asked` asked for an earlier one and its
    owner only changed it since. A change that no approver decides is no such version. If `asked` only asks more
    people, begin with what they are asked about."""
    if asked.kind is EventKind.OTHERS_ASKED:
        before = [event for event in events if event.id < asked.id]
        asked = newest_asked(before, DECISIONS) or asked
    for event in events_after(asked, events):
        if asked.effects.asks is not OpenQuestion.REQUEST or event.effects.asks is not OpenQuestion.REQUEST:
            continue
        if event.kind is not EventKind.CHANGED or event.facts.admins_decide is None:
            break
        asked = event
    return asked


def open_question(events: Sequence[Event], question: OpenQuestion) -> Event | None:
    """Return the newest event of a rental's history that asks this question. Return None if it is settled, or if
    no event asks it."""
    asked = next((event for event in reversed(events) if event.effects.asks is question), None)
    return asked if asked is not None and settled_by(asked, events) is None else None
