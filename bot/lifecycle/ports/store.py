"""Protocols of the store, one for each table or subject."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from bot.lifecycle.ports.due import Claimed, ClaimedRental, DueRows
from bot.lifecycle.ports.records import (
    Accruing,
    AliveResource,
    Change,
    EndedCost,
    KnownResource,
    LiveCost,
    Look,
    Running,
    StoredFacts,
    UnfinishedAttempt,
    Unsendable,
    Usage,
    WatchedResource,
)
from bot.model.account_facts import Counter, Fact
from bot.model.admin_question import AdminQuestion
from bot.model.attempt import Attempt, GotReady, LedgerRow, Resource
from bot.model.budget import Balance, Charge, ChargedMachine, Month, MonthPart, Reservation, Scope
from bot.model.event import Event, EventKind
from bot.model.machine_use import ProbeAnswers as Answers
from bot.model.machine_use import Sample
from bot.model.message import Destination, Message
from bot.model.money import Micros
from bot.model.person import Channel, Key, Person
from bot.model.policy_version import PolicyVersion
from bot.model.quote import Quote, SharedSearch
from bot.model.rental import Rental
from bot.model.request import OfferQuery
from bot.model.state import State

T = TypeVar("T")


class Quotes(DueRows[Claimed], Protocol):
    async def get(self, quote_id: str) -> Quote | None: ...
    async def add(self, quote: Quote) -> None: ...
    async def save(self, quote: Quote) -> None: ...
    async def asked_since(self, owner: str, since: datetime) -> list[datetime]:
        """Return when a person asked for quotes since then, oldest first."""

    async def newest(self, owner: str) -> Quote | None:
        """Return the last quote that a person asked for. Return None if the store has none."""

    async def clicked(self, owner: str, since: datetime) -> list[Quote]:
        """Return the quotes of a person with an offer that waits for a key, asked for since then, newest first."""

    async def waiting(self) -> list[Quote]:
        """Return the quotes that wait for an offer, or whose rental did: those with `waits_for`."""

    async def waiting_for(self, search_id: str) -> list[Quote]:
        """As `waiting`, for one shared search."""

    async def waiting_of(self, owner: str) -> list[Quote]:
        """As `waiting`, for one person."""

    async def drop_unused(self, before: datetime, limit: int) -> int:
        """Remove the oldest quotes from before that time that made no rental and are answered, with their answers,
        `limit` at most. Return how many were removed."""

    async def drop_offers(self, before: datetime, limit: int) -> int:
        """As `drop_unused`, but remove only the offers of quotes whose rental is over."""

    async def drop_reply_to(self, before: datetime, limit: int) -> int:
        """As `drop_unused`, but remove only where the answer went."""


class Searches(DueRows[Claimed], Protocol):
    """The searches that wishes share. A change that makes a rental `queued` makes the search of its quote due."""

    async def get(self, search_id: str) -> SharedSearch | None: ...
    async def open(self, search_id: str, query: OfferQuery, at: datetime) -> None:
        """Write a search that is due at this time, or make the one that exists due by then, as if it had not
        missed yet. Who works on it decides when the market is asked."""

    async def save(self, search: SharedSearch) -> None:
        """Write when it was asked last and is next due. Do nothing if another process holds the claim."""

    async def drop(self, search_id: str) -> None: ...


class Rentals(DueRows[ClaimedRental], Protocol):
    async def get(self, rental_id: str) -> Rental | None: ...
    async def apply(self, change: Change) -> None:
        """Write a change. Raise Stale if the rental changed meanwhile: the facts (attempts, resources, ledger) are
        still written once the transaction commits, and nothing else is. Raise OfferTaken if the offer of a new
        attempt has had one already."""

    async def defer(self, rental: ClaimedRental, due_at: datetime) -> None:
        """End this process's claim on it and set when it is next due, unless it changed meanwhile. No message
        becomes due."""

    async def defer_all(self, rentals: Sequence[tuple[Rental, datetime | None]]) -> None:
        """As `defer`, for several rentals in one statement."""

    async def lock_spending(self) -> None:
        """Take the spending lock, and hold it until this transaction ends. Everything that is read after it
        includes what the earlier holders committed, such as rentals and keys."""

    async def usage(self, owner: str, *, without: str | None = None) -> Usage:
        """Return what live rentals and their unproven attempts use, except the rental `without` and the rental
        whose place that one takes. A transaction that writes has to take the spending lock first."""

    async def live(self, owner: str | None = None) -> list[Rental]:
        """Return the rentals that are not over, oldest first: of one person or of all."""

    async def waiting(self) -> list[Rental]:
        """Return the rentals whose request or extension waits for an approver, oldest first."""

    async def idle(self) -> list[Rental]:
        """Return the rentals that are not over and whose stored verdict is idle, oldest first."""

    async def shared_with(self, person_id: str) -> list[Rental]:
        """Return the rentals that are not over and have this person as a teammate, oldest first."""

    async def states(self) -> dict[State, int]:
        """Return how many rentals that are not over are in each state."""

    async def owners(self) -> set[str]:
        """Return the owners of the rentals that are not over."""

    async def running(self) -> list[Running]:
        """Return how many of the rentals that are not over are alike. It reads no rental for itself."""

    async def live_costs(self, person: str | None = None) -> list[LiveCost]:
        """Return the rentals that are not over, oldest first, with their cost. With `person`, return their own and
        those shared with them. Other tasks run meanwhile."""

    def accruing(self, person: str | None = None) -> AsyncIterator[list[Accruing]]:
        """Yield the resources that are not gone, some at a time, and let other tasks run in between. With
        `person`, yield those of all rentals that are or were theirs, and perhaps others."""

    async def unconfirmed(self) -> int:
        """Return how many rentals have an alarm: a machine that people were notified of is not confirmed gone."""

    async def ended_costs(self, since: datetime) -> list[EndedCost]:
        """Return the rentals that were billed and ended at `since` or later, the one that ended last first."""

    async def get_many(self, rental_ids: Collection[str]) -> dict[str, Rental]:
        """Return the rentals that exist, by their ids."""

    async def facts_of(self, rental_ids: Collection[str]) -> dict[str, StoredFacts]:
        """Return the facts of each of these rentals, in one query."""

    async def attempts(self, rental_id: str) -> list[Attempt]: ...
    async def resources(self, rental_id: str) -> list[Resource]: ...
    async def resources_by_id(self, resource_ids: Sequence[str]) -> dict[str, Resource]:
        """Return the resources that the store knows, by their ids."""

    async def attempts_of(self, resources: Sequence[Resource]) -> dict[str, Attempt]:
        """Return the attempt of each resource, by the resource's id."""

    async def attempt_by_offer(self, offer_id: str) -> Attempt | None: ...
    async def attempt_by_name(self, resource_name: str) -> Attempt | None: ...
    async def note_read(self, read_again: Collection[Resource]) -> None:
        """Write when resources were read again that are otherwise as the steps loaded them. One that counts as
        gone meanwhile is alive again if it was read later. To all but Home, this is no change."""

    async def alive_resources(self) -> list[AliveResource]:
        """Return the resources that are not gone."""

    async def make_due(self, rental_ids: Collection[str], now: datetime) -> None:
        """Make these rentals due now."""

    async def ledger(self, rental_id: str) -> list[LedgerRow]: ...
    async def median_time_to_ready(self, vendor: str, gpu: str) -> float | None:
        """Return the median seconds from procurement to ready of the vendor's last rentals of this GPU. Return
        None if there are fewer than 3."""

    async def got_ready(self, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], GotReady]:
        """Return how many of the last ten purchases got ready, by vendor and GPU: of `places` at least. A place
        without any is left out."""

    async def any_ever(self) -> bool:
        """Return whether the store has or had a rental."""

    def all_ids(self) -> AsyncIterator[str]:
        """Yield the ids of all rentals that are or were, in order. Other tasks run after each."""


class Jobs(DueRows[Claimed], Protocol):
    """The work of which there is one for all processes, by its name: a job of the calendar, or delivery."""

    async def begin(self, name: str, due_at: datetime) -> None:
        """Write when a job is due first. Do nothing if the store has the job."""

    async def bring_forward(self, name: str, at: datetime) -> None:
        """Make a job due at this time, unless it is due earlier or the store doesn't have it."""

    async def held_by_another(self, name: str) -> bool:
        """Return whether another process holds the claim on a job, and that claim has not ended."""


class Budgets(Protocol):
    """What is charged to months, what rentals hold of them, and the balances of both."""

    async def balances(self, month: Month, scopes: Collection[Scope]) -> list[Balance]:
        """Return the balances of a month, one for each of these scopes, in their order. A scope of which nothing
        is stored has a balance of zero."""

    async def add(
        self,
        scope: Scope,
        month: Month,
        *,
        reserved: Micros = 0,
        spent: Micros = 0,
        late: Micros = 0,
        limit: Micros | None = None,
    ) -> Balance | None:
        """Add these differences to a balance and return it. With `limit`, add nothing and return None if the sum
        of reserved and spent money would be higher."""

    async def note_alert(self, scope: Scope, month: Month, percent: int) -> None:
        """Store the highest alert that was given of a balance."""

    async def plan_alert(self, scope: Scope, month: Month, due_at: datetime | None, reader: str | None) -> None:
        """Store when an alert of a balance is judged again, and who gets it. None: no alert waits."""

    async def alerts_due(self, at: datetime) -> list[Balance]:
        """Return the balances with a planned alert that is due at this time, in the order in which all changes
        write them."""

    async def reservations(self, rental_id: str) -> list[Reservation]:
        """Return what a rental holds, by months and owners."""

    async def replace_reservations(self, before: Sequence[Reservation], after: Sequence[Reservation]) -> None:
        """Replace what a rental holds: all of its reservations. The balances are not changed."""

    async def add_charges(self, added: Collection[Charge]) -> None: ...
    async def uncharged(self) -> list[str]:
        """Return the ids of the rentals with a ledger row that was not charged. It reads the whole ledger."""

    async def charges_of(self, rental_id: str) -> list[Charge]:
        """Return the charges of a rental, oldest first."""

    async def charges_in(self, month: Month, owner: str | None = None) -> list[Charge]:
        """Return the charges in a month's report and file, oldest first. With `owner`, return this person's."""

    async def filed(self) -> dict[Month, datetime]:
        """Return the months whose file is complete, with when it was made. Nothing is charged to them any more."""

    async def unfiled(self) -> list[Month]:
        """Return the months that have charges and are not filed, oldest first."""

    async def file(self, month: Month, at: datetime, file: str) -> None:
        """Keep a month's complete file. It is never changed."""

    async def filed_file(self, month: Month) -> str | None:
        """Return the complete file of a month. Return None if the month is not filed."""

    async def billing_before(self, at: datetime) -> bool:
        """Return whether something that may have billed before `at` has no ledger row yet."""

    async def machines(self, month: Month) -> dict[str, ChargedMachine]:
        """Return the machines of a month's charges and those that still bill, by their resource ids."""

    async def all_balances(self, since: Month = "") -> list[Balance]:
        """Return the balances with money of all months, or of those from `since` on."""

    async def of_team(self) -> list[Balance]:
        """Return the team's balances of all months, oldest first."""

    async def sums(self, since: Month = "") -> list[Balance]:
        """Return what the balances of all months, or of those from `since` on, should be: the sums of reservations
        and charges, without alerts."""

    async def clear(self) -> None:
        """Remove all reservations and the charges of months that are not filed, and set the money of all balances
        to zero, to count them again."""


class Visits(DueRows[Claimed], Protocol):
    """When each ready machine is visited next. A change that makes a rental ready plans its first visit; the
    change by which it stops being ready ends them."""

    async def defer(self, visit: Claimed, due_at: datetime) -> bool:
        """End the claim and set when the next visit is due. Return False, and do nothing, if the machine's visits
        have ended meanwhile or another process has the claim."""

    async def make_due(self, rental_id: str, at: datetime) -> None:
        """Visit this machine at this time. Do nothing if it is not visited."""

    async def end(self, rental_id: str) -> None:
        """Visit this machine no more."""

    async def ongoing(self, rental_ids: Collection[str]) -> set[str]:
        """Return those of these rentals whose visits have not ended."""


class Samples(Protocol):
    """What the visits of machines read."""

    async def add(self, sample: Sample) -> None: ...
    async def since(self, rental_id: str, at: datetime) -> list[Sample]:
        """Return a rental's samples from `at` on, oldest first."""

    async def reaching_back(self, rental_id: str, at: datetime) -> list[Sample]:
        """Return a rental's samples from `at` on and the last one before that, if there is one, oldest first."""

    async def highest(self, rental_id: str, at: datetime) -> list[tuple[datetime, int]]:
        """Return the time and the highest reading, in percent, of each sample from `at` on that has a reading,
        oldest first. No models are made: a day has up to 1,440 samples, and making them would hold up the event
        loop."""

    async def newest_of(self, rental_ids: Collection[str]) -> dict[str, Sample]:
        """Return the newest sample of each of these rentals that has one."""

    async def drop_before(self, at: datetime, limit: int) -> int:
        """Remove the oldest samples from before `at`, `limit` at most. Return how many were removed."""


class ProbeAnswers(Protocol):
    """Whether the probe answered soon after ready: one row for each machine of which that is known."""

    async def note(self, rental_id: str, vendor: str, at: datetime, *, answered: bool) -> None:
        """Note whether the probe answered. An answer replaces a silence that was noted before, and is never
        replaced."""

    async def of_vendors(self, vendors: Collection[str]) -> dict[str, Answers]:
        """Return the answers of each vendor's machines. Vendors without any are left out."""


class Events(Protocol):
    async def add(self, event: Event) -> int:
        """Write an event of the account and return its id. A rental's events are written with its change."""

    async def of(self, rental_id: str) -> list[Event]: ...
    async def of_many(
        self, rental_ids: Collection[str], kinds: Collection[EventKind]
    ) -> Mapping[str, Sequence[Event]]:
        """Return the events of these kinds of each of these rentals, oldest first. A rental without any has an
        empty list."""

    async def get(self, event_id: int) -> Event | None: ...
    async def other_end_of_pause(self, event: Event) -> Event | None:
        """Return the event that ended this pause of buying, or the pause that this event ended. None if there is
        none."""

    async def between(self, since: datetime, until: datetime, *, after: int, limit: int) -> list[Event]:
        """Return the first events from `since` on and before `until`, in the order in which they were written:
        `limit` at most, with ids above `after`."""


class Messages(Protocol):
    """The outbox."""

    async def add(self, message: Message) -> None:
        """Queue a message; it is due at once if it doesn't say when. Do nothing if the same event has a message of
        that kind to that destination already, or if it is a rental's second card."""

    async def get(self, message_id: int) -> Message | None: ...
    async def alert_of(self, event_id: int, to: Destination) -> Message | None:
        """Return the alert of an event to this reader or channel."""

    async def due(self, real_now: datetime, limit: int, without: Unsendable | None = None) -> list[Message]:
        """Return what is due: posts and answers first, then edits that show a transition, then other edits, then
        what is shown again, each in the order in which they were queued.

        With `without`, return only what may be sent now. A reply in a thread waits for its card. Any other post
        than a card waits for the earlier ones to its reader or channel about the same rental, and an alert about
        the pause waits for the earlier ones about it."""

    async def next_due(self, after: datetime | None = None) -> datetime | None:
        """Return the first real time at which something is due, or the first after `after`."""

    async def end_back_off(self) -> None:
        """Schedule now what waits for a retry because its last call got no answer (`Message.tries`)."""

    async def to_refresh(self, now: datetime, limit: int, without: Collection[int] = ()) -> list[Message]:
        """Return the messages to refresh by `now`, our time, except the ids `without`, the longest due first. A
        message that also has a `due_at` is left out: that edit shows everything."""

    async def next_refresh(self) -> datetime | None:
        """Return when the next refresh is due, in our time."""

    async def save(self, message: Message) -> None:
        """Write what Slack has and when to look again. If the rental changed after `message` was read, the message
        stays open and due, so that the change is shown."""

    async def card(self, rental_id: str) -> Message | None: ...

    async def rental_at(self, channel: str, ts: str) -> str | None:
        """Return the id of the rental that a posted message is about. Return None for any other message."""

    async def redirect(self, rental_id: str, to: Destination) -> None:
        """Send a rental's card and thread to `to` from now on: post the card again, and below it what the thread
        has not said yet. The rental stores `to` as its `card_channel`, for what comes later."""

    async def direct_of(self, rental_id: str) -> list[Message]:
        """Return the direct messages about one rental, oldest first."""

    async def show_reminders(self) -> None:
        """Make the open reminders of approvers due."""

    async def show_question(self, question_id: str) -> None:
        """Make the open surfaces about a question to the admins due."""

    async def show_quote(self, quote_id: str) -> None:
        """Edit the answer to a quote if it was posted as a direct message, because its buttons no longer work."""

    async def open_home(self, reader: str, shown: str) -> None:
        """Make the first page of a person's Home tab due, before all that is shown already. `shown` is the digest
        of what Slack shows them now."""

    async def turn_home(self, reader: str, page: int) -> None:
        """Make a page of a person's Home tab due, counted from 0. Do nothing if they never opened it."""

    async def show_homes(self) -> None:
        """Make the Home tabs due of all people who opened theirs."""

    async def any_home(self) -> bool:
        """Return whether anybody opened their Home tab."""

    async def show_all_again(self) -> None:
        """Make due the open surfaces of everything that is not over, so that each is edited in any case. A surface
        that may ask a question or state an end is compared with Slack first (`Message.uncompared`)."""

    async def file_waits(self, to: Destination, part: MonthPart) -> bool:
        """Return whether a file of this part of a month is on its way to a person."""

    async def drop_answers(self, before: datetime, limit: int) -> int:
        """Remove the oldest messages from before that real time that were sent to a `response_url`, `limit` at
        most. Return how many were removed. The newest of all messages stays, so that no id is used again."""

    async def drop_closed(self, before: datetime, over_before: datetime, limit: int) -> int:
        """As `drop_answers`, for messages that are never edited again. Keep those of a rental that was not over
        before `over_before`, our time, and those of a question that is not over."""

    async def undelivered(self) -> int:
        """Return how many wait to be posted, answered or edited. Refreshes don't count."""


EVER = datetime.min.replace(tzinfo=UTC)
"""As `not_before`: at any time."""


class People(Protocol):
    async def get(self, user_id: str, not_before: datetime) -> Person | None:
        """Return a person as stored at `not_before` (real time) or later. Return None if there is none."""

    async def names(self, user_ids: Collection[str]) -> dict[str, str]:
        """Return the last known display names, and the operator's. People that we don't know are left out."""

    async def known(self, user_ids: Collection[str] | None = None) -> list[Person]:
        """Return these people, or all, as last known. People that the store doesn't know are left out."""

    async def put(self, person: Person, real_now: datetime) -> None: ...
    async def forget(self, user_id: str | None = None) -> None:
        """Make `get` treat the stored person as too old. None: all people."""

    async def not_asked_since(self, before: datetime, limit: int) -> list[str]:
        """Return the ids of people about whom Slack was last asked before that real time, the longest ago first,
        `limit` at most. Leave out those who left the workspace."""

    async def drop_left(self, before: datetime, limit: int) -> int:
        """Remove the rows and keys of people who left the workspace before that real time, the first who left
        first, `limit` at most. Keep owners of rentals that are not over. Return how many were removed."""

    async def keys(self, user_id: str) -> list[Key]:
        """Return a person's keys: the first is sent as the machine's own key, the others by its boot script."""

    async def keys_of(self, user_ids: Collection[str]) -> dict[str, list[Key]]:
        """Return the keys of several people by their ids, as `keys` does. People without a key are left out."""

    async def add_key(self, user_id: str, key: Key) -> bool:
        """Add a key as the person's last one and return True. If they have it already, only set its comment and
        time, and return False."""

    async def remove_key(self, user_id: str, fingerprint: str) -> bool:
        """Remove a person's key. Return False if they have no such key."""

    async def make_key_first(self, user_id: str, fingerprint: str) -> bool:
        """Make a person's key the first one. Return False if they have no such key."""

    async def note_seen(self, user_id: str, now: datetime) -> None:
        """Note a sign of life: the person's ready rentals count as needed now."""

    async def channel(self, channel_id: str, not_before: datetime) -> Channel | None: ...
    async def put_channel(self, channel: Channel, real_now: datetime) -> None: ...
    async def forget_channel(self, channel_id: str) -> None: ...


class Account(Protocol):
    """Facts about the account and this bot."""

    async def get(self, fact: Fact[T], key: str = "") -> T | None:
        """Return a fact. Return None if the store doesn't have it."""

    async def all(self, fact: Fact[T]) -> dict[str, T]:
        """Return the values of a fact by their keys."""

    async def set(self, fact: Fact[T], value: T | None, key: str = "") -> None:
        """Write a fact, or remove it if `value` is None."""

    async def increment(self, counter: Counter) -> None: ...
    async def count(self, counter: Counter) -> int: ...
    async def probe_key(self) -> str | None:
        """Return the private key of the probe, in OpenSSH's format."""

    async def add_probe_key(self, private_key: str) -> None: ...
    async def note_answered(self, message: str, at: datetime, forget_before: datetime) -> bool:
        """Note that a person's message to the bot is answered, and return True. Return False if it was answered
        before. Forget messages that were answered before `forget_before`."""


class AdminQuestions(Protocol):
    """Questions to the admins."""

    async def get(self, question_id: str) -> AdminQuestion | None: ...
    async def not_over(self) -> list[AdminQuestion]:
        """Return the questions that the admins can decide, and those about machines that are not ours to manage
        but still exist, oldest first. Leave out questions about rentals that are over or ending."""

    async def purchases(self) -> list[AdminQuestion]:
        """Return the questions of `not_over` that are about the unknown machines of one purchase."""

    async def parts(self, question_id: str) -> list[AdminQuestion]:
        """Return the questions that are asked in the messages of this one."""

    async def has_open_part(self, question_id: str) -> bool: ...
    async def of_rental(self, rental_id: str) -> list[AdminQuestion]:
        """Return the questions about a rental, or about machines that belong to it by now, oldest first."""

    async def pausing(self) -> list[AdminQuestion]:
        """Return the questions that pause buying."""

    async def add(self, question: AdminQuestion) -> None:
        """Write a new question. Raise Stale if its id is in use."""

    async def save(self, before: AdminQuestion, after: AdminQuestion) -> None:
        """Write a change as the next version, and make the question's messages due. Raise Stale if the question
        changed meanwhile."""


class Policies(Protocol):
    """The policy files that came into force."""

    async def newest(self) -> PolicyVersion | None:
        """Return the version that is in force. Return None before the first one is stored."""

    async def add(self, version: PolicyVersion) -> None:
        """Write the next version. Raise Stale if its number is in use."""


class Overdue(Protocol):
    """Attempts and work past their time, read from single columns: this must work if a rental can't be loaded."""

    async def database_time(self) -> datetime | None:
        """Return the database's real time. Return None with SQLite, which uses this machine's clock."""

    async def past_end(self, by: datetime) -> list[UnfinishedAttempt]:
        """Return the attempts that may still bill of rentals whose end was at or before `by`. The end is when
        their destruction began, else when their lease ends, else when the attempt was accepted or intended."""

    async def watched(self) -> list[WatchedResource]:
        """Return the resources that are not gone, by their ids."""

    async def attempt(self, rental_id: str, n: int) -> UnfinishedAttempt | None:
        """Return an attempt as it is now. Return None if it is settled."""

    async def owned_by_others(self, attempt: UnfinishedAttempt, resource_ids: Collection[str]) -> set[str]:
        """Return which of the ids belong to other attempts."""

    async def mark_for_deletion(
        self, attempt: UnfinishedAttempt, deleted: Collection[KnownResource], at: datetime
    ) -> bool:
        """Mark the attempt for deletion, and note that the deletion of these resources was accepted. Its
        machine is visited no more. Return False if it was marked already."""

    async def oldest_due(self, without: Collection[str]) -> tuple[str, datetime] | None:
        """Return the id of what is due first, and when. Leave out the ids `without`, and what another process has
        claimed."""


class Tx(Protocol):
    """One transaction. All of it is written, or nothing is."""

    @property
    def quotes(self) -> Quotes: ...
    @property
    def searches(self) -> Searches: ...
    @property
    def rentals(self) -> Rentals: ...
    @property
    def events(self) -> Events: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def people(self) -> People: ...
    @property
    def account(self) -> Account: ...
    @property
    def overdue(self) -> Overdue: ...
    @property
    def questions(self) -> AdminQuestions: ...
    @property
    def visits(self) -> Visits: ...
    @property
    def samples(self) -> Samples: ...
    @property
    def probe_answers(self) -> ProbeAnswers: ...
    @property
    def budgets(self) -> Budgets: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def jobs(self) -> Jobs: ...


class Written(StrEnum):
    """The kinds of rows whose commit may make work due."""

    QUOTES = "quotes"
    SEARCHES = "searches"
    RENTALS = "rentals"
    MESSAGES = "messages"
    KEYS = "keys"
    """People's SSH keys."""
    POLICIES = "policies"
    VISITS = "visits"
    """The commit began or ended visits of a machine, or made one due."""
    JOBS = "jobs"
    CHANGES = "changes"
    """The commit changed a rental or a resource, and not only when a step is due."""


class Store(Protocol):
    """The database."""

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """Begin a transaction that only reads and never waits for a writer."""

    def write(self, *, durable: bool = True) -> AbstractAsyncContextManager[Tx]:
        """Begin a short transaction that writes and is committed at its end. Raise StoreBusy if the database
        doesn't take it in time, and Stale if a rental changed meanwhile (then only facts were written).

        If `durable` is false, the commit does not wait for the disk. A crash of the process loses nothing. A power
        cut may lose it, but never a durable commit and not what was committed before that one. Use it for what is
        done again then: a claim, a due time, the result of a call to Slack; never for what a surface shows.
        """

    async def takes_writes(self) -> bool:
        """Return whether something can be written now, by trying it. No listener of `on_commit` is called. A write
        that only waited too long for its turn counts as taken if another one was committed meanwhile."""

    def on_commit(self, listener: Callable[[], None], written: Written | None = None) -> None:
        """Call `listener` after each commit that wrote such a row, by any process, or after every commit of this
        process if `written` is None. Work may be due then."""


class OpenedStore(Store, Protocol):
    """The database as the process has opened it."""

    @property
    def shared(self) -> bool:
        """Return whether other processes may use it at the same time."""

    @property
    def joined(self) -> bool:
        """Return whether another process used it when this one opened it."""

    async def look(self) -> Look:
        """Return how this process stands among those that share the database. Raise CannotOpen if this one has to
        end, because the database is being migrated. Raise StoreBusy if it doesn't answer."""

    def on_reopen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the database is there again after it was lost. It may be a backup."""
