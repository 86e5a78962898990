"""What the lifecycle needs from the store: one protocol for each table or subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from bot.lifecycle.ports.records import (
    Change,
    Claimed,
    KnownResource,
    LiveCost,
    UnfinishedAttempt,
    Unsendable,
    Usage,
)
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.event import Event
from bot.model.message import Destination, Message
from bot.model.person import Channel, Key, Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.state import State


class Quotes(Protocol):
    async def get(self, quote_id: str) -> Quote | None: ...
    async def add(self, quote: Quote) -> None: ...
    async def save(self, quote: Quote) -> None: ...
    async def asked_since(self, owner: str, since: datetime) -> int:
        """How many quotes a person asked for since then."""

    async def waiting_for_key(self, owner: str, since: datetime) -> list[Quote]:
        """Those of one person that go on once there is a key."""

    async def claim(self, now: datetime, claimant: str, limit: int) -> list[str]:
        """Take what is due and unclaimed, and return the ids, oldest first."""

    async def defer(self, quote_id: str, due_at: datetime) -> None:
        """End its claim and set when it is next due."""

    async def release(self, quote_id: str) -> None: ...
    async def release_all(self, *, without: Collection[str] = ()) -> None:
        """Ends every claim, but for those of these quotes."""

    async def next_due(self) -> datetime | None: ...


class Rentals(Protocol):
    async def get(self, rental_id: str) -> Rental | None: ...
    async def apply(self, change: Change) -> None:
        """Writes a change. Raises Stale where the rental is no longer as it was: then the facts (attempts,
        resources, ledger) are written all the same once the transaction commits, and nothing else is.
        Raises OfferTaken where an attempt's offer has had one already."""

    async def defer(self, rental: Rental | Claimed, due_at: datetime | None) -> None:
        """Ends its claim and sets when it is next due, if nobody changed it meanwhile. Tells nobody."""

    async def claim(self, now: datetime, claimant: str, limit: int) -> list[Claimed]:
        """Takes what is due and unclaimed, oldest first."""

    async def release(self, rental_id: str) -> None: ...
    async def release_all(self, *, without: Collection[str] = ()) -> None:
        """Ends every claim, but for those of these rentals."""

    async def next_due(self) -> datetime | None: ...
    async def usage(self, owner: str, *, without: str | None = None) -> Usage:
        """What is live, but for the rental `without`. Holds off other decisions about spending until the
        transaction ends."""

    async def live(self, owner: str | None = None) -> list[Rental]:
        """All that are not over, oldest first; of one person or of all."""

    async def states(self) -> dict[State, int]:
        """How many are in each state, of those that are not over."""

    async def live_costs(self) -> list[LiveCost]:
        """All that are not over, oldest first, with what they cost, in a few queries however many there are."""

    async def get_many(self, rental_ids: Collection[str]) -> dict[str, Rental]:
        """Those of the ids that there are."""

    async def attempts(self, rental_id: str) -> list[Attempt]: ...
    async def resources(self, rental_id: str) -> list[Resource]: ...
    async def resources_by_id(self, resource_ids: Sequence[str]) -> dict[str, Resource]:
        """Those of the ids that are ours."""

    async def attempts_of(self, resources: Sequence[Resource]) -> dict[str, Attempt]:
        """The attempt of each resource, by the resource's id."""

    async def attempt_by_offer(self, offer_id: str) -> Attempt | None: ...
    async def attempt_by_name(self, resource_name: str) -> Attempt | None: ...
    async def alive_resources(self) -> list[Resource]:
        """Those that are not gone."""

    async def make_due(self, rental_ids: Collection[str], now: datetime) -> None:
        """Makes them due now."""

    async def ledger(self, rental_id: str) -> list[LedgerRow]: ...
    async def median_time_to_ready(self, vendor: str, gpu: str) -> float | None:
        """Median seconds from procurement to ready of the last rentals there, None with fewer than 3."""

    async def any_ever(self) -> bool: ...


class Events(Protocol):
    async def add(self, event: Event) -> int:
        """Writes an event of the account and gives its id. A rental's events are written with its change."""

    async def of(self, rental_id: str) -> list[Event]: ...
    async def get(self, event_id: int) -> Event | None: ...


class Messages(Protocol):
    """The outbox."""

    async def add(self, message: Message) -> None:
        """Queue a message; it is due at once if it doesn't say when. Do nothing if the same event has a message of
        that kind to that destination already, or if it is a rental's second card."""

    async def get(self, message_id: int) -> Message | None: ...
    async def due(self, real_now: datetime, limit: int, without: Unsendable | None = None) -> list[Message]:
        """Return what is due: posts and answers first, then edits that show a transition, then other edits, each
        in the order in which they were queued. With `without`, return only what may be sent now: a thread also
        waits for its card and for its own earlier messages."""

    async def next_due(self, after: datetime | None = None) -> datetime | None:
        """Return the first real time at which something is due, or the first after `after`."""

    async def to_refresh(self, now: datetime, limit: int, without: Collection[int] = ()) -> list[Message]:
        """Return what is to be refreshed by `now`, our time, but for these ids; first what waits longest. What
        also has a `due_at` is left out: that edit shows everything."""

    async def next_refresh(self) -> datetime | None:
        """Return our time at which something is to be refreshed next."""

    async def save(self, message: Message) -> None:
        """Write what Slack has and when to look again. If the rental changed after `message` was read, the message
        stays open and due, so that the change is shown."""

    async def card(self, rental_id: str) -> Message | None: ...
    async def redirect(self, rental_id: str, to: Destination) -> None:
        """Send a rental's card and thread to `to` from now on: post the card again, and below it what the thread
        has not said yet. The rental stores `to` as its `card_channel`, for what comes later."""

    async def direct_of(self, rental_id: str) -> list[Message]:
        """Return the direct messages about one rental, oldest first."""

    async def undelivered(self) -> int:
        """Return how many wait to be posted, answered or edited. Refreshes don't count."""


EVER = datetime.min.replace(tzinfo=UTC)
"""As `not_before`: whenever that was."""


class People(Protocol):
    async def get(self, user_id: str, not_before: datetime) -> Person | None:
        """Someone as last asked, not longer ago than that (real time)."""

    async def names(self, user_ids: Collection[str]) -> dict[str, str]:
        """Display names as last known; whom we don't know is left out."""

    async def put(self, person: Person, real_now: datetime) -> None: ...
    async def forget(self, user_id: str | None = None) -> None:
        """Ask again next time; None forgets all."""

    async def key(self, user_id: str) -> Key | None: ...
    async def set_key(self, user_id: str, key: Key) -> None: ...
    async def note_seen(self, user_id: str, now: datetime) -> None:
        """A sign of life: their ready rentals count as in use now."""

    async def channel(self, channel_id: str, not_before: datetime) -> Channel | None: ...
    async def put_channel(self, channel: Channel, real_now: datetime) -> None: ...
    async def forget_channel(self, channel_id: str) -> None: ...


class Account(Protocol):
    """A few facts about the whole."""

    async def get(self, name: str) -> str | None: ...
    async def set(self, name: str, value: str | None) -> None: ...
    async def with_prefix(self, prefix: str) -> dict[str, str]:
        """Return all facts whose name begins with `prefix`."""

    async def increment(self, name: str) -> None:
        """Add one to a number that is kept under `name`; it starts at 0."""

    async def get_count(self, name: str) -> int:
        """Return the number that is kept under `name`."""

    async def mark(self, name: str, at: datetime, before: datetime) -> bool:
        """Write the moment `at` under `name` and return True, unless a moment from `before` or later is there."""

    async def drop_marks(self, prefix: str, before: datetime) -> None:
        """Remove the marks whose name begins with `prefix` and whose moment is earlier than `before`."""


class Overdue(Protocol):
    """What is late, read from bare columns: it must work when a rental itself can't be loaded."""

    async def past_end(self, by: datetime) -> list[UnfinishedAttempt]:
        """The attempts that may still bill, of rentals whose end was at or before `by`: when their destruction
        began, else when their lease ends, else when their machine was accepted or they were asked for."""

    async def attempt(self, rental_id: str, n: int) -> UnfinishedAttempt | None:
        """The same attempt as it is now. None if it is settled."""

    async def owned_by_others(self, attempt: UnfinishedAttempt, resource_ids: Collection[str]) -> set[str]:
        """Which of the ids belong to other attempts."""

    async def mark_for_deletion(
        self, attempt: UnfinishedAttempt, deleted: Collection[KnownResource], at: datetime
    ) -> bool:
        """Marks the attempt for deletion, and notes that the deletion of these resources was accepted. Returns
        False if it was marked already."""

    async def oldest_due(self, without: Collection[str]) -> tuple[str, datetime] | None:
        """The id of the quote or rental that is due first, claimed or not, and when; without the ids `but`."""


class Tx(Protocol):
    """One transaction. All of it is written, or nothing is."""

    @property
    def quotes(self) -> Quotes: ...
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


class Store(Protocol):
    """The database."""

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that only reads, and never waits for a writer."""

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """A short transaction that writes; commits at the end. Raises StoreBusy where the database doesn't
        take it in time, and Stale where someone was faster (then only facts were written)."""

    async def takes_writes(self) -> bool:
        """Whether something can be written now: tries it, and tells no listener of `on_commit`. A write that only
        waited too long for its turn counts as taken if another one was committed meanwhile."""

    def on_commit(self, listener: Callable[[], None]) -> None:
        """`listener` is called after every commit that wrote: whoever waits for something due looks again."""
