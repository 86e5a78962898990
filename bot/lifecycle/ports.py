"""What the lifecycle needs from outside. store/ and bot/market/ provide it; bot/app.py puts them together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol, Self

from pydantic import model_validator

from bot.lifecycle.transitions import check_change
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import Frozen, Instant
from bot.model.event import Event
from bot.model.message import Destination, Message
from bot.model.money import Micros
from bot.model.offer import Catalog, Offer
from bot.model.person import Channel, Key, Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State

# --- the marketplace


class Procured(Frozen):
    """The marketplace's answer to a procure call: accepted, refused without doubt, bought by an earlier call, or
    failed (which may still have made a resource)."""

    accepted: bool
    resource_ids: tuple[str, ...] = ()
    detail: str = ""
    expired: bool = False
    """410: the price no longer stands."""
    refused: bool = False
    """404, 422: nothing was bought."""
    bought_before: bool = False
    """409: this account bought the offer already, perhaps by a call that an older database doesn't know of."""


class OfferProgress(Frozen):
    """How far an offer's procurement is."""

    found: bool
    """False on 404."""
    ready: bool = False
    failed: bool = False
    in_progress: bool = False
    """Procurement began and has not ended; also for words we don't know."""
    untouched: bool = False
    """`available` or `expired`: nobody procured it."""
    progress: str = ""
    detail: str = ""
    all_running: bool = False
    """There are instances, and every one of them runs."""
    instances: int = 0
    resource_ids: tuple[str, ...] = ()
    """The resources that the status names."""


class ResourceView(Frozen):
    """A resource as the marketplace shows it."""

    resource_id: str
    status: str
    name: str | None = None
    gpu: str | None = None
    vendor: str | None = None
    offer_ids: tuple[str, ...] = ()
    created_at: Instant | None = None
    rate: Decimal | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    host: str | None = None
    """A validated IP address or host name; None until there is one."""
    port: int | None = None

    @property
    def deleted(self) -> bool:
        """Whether the vendor confirmed that it is gone."""
        return self.status == "deleted"


class Market(Protocol):
    """Compute Clear. Every call raises MarketAway or LockedOut where there is no usable answer; none is
    repeated inside."""

    async def catalog(self) -> Catalog:
        """The four discovery endpoints."""

    async def offers(self, request: Request) -> tuple[Offer, ...]:
        """Offers that fit, cheapest first, filtered again by us."""

    async def procure(self, offer_id: str, public_key: str, resource_name: str) -> Procured:
        """Buys, once. MarketAway with `acted` means that nobody knows."""

    async def progress(self, offer_id: str) -> OfferProgress:
        """The offer's procurement status."""

    async def resources(self, offer_id: str | None = None) -> tuple[ResourceView, ...]:
        """The account's resources, or those of one offer."""

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        """One resource, None on 404; `fresh` asks the vendor live."""

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        """The status of each resource of an offer, by its id. Nothing else of them is read, so that no other
        field of an answer can keep a machine from being deleted."""

    async def delete(self, resource_id: str) -> bool:
        """Asks for deletion with force. True when accepted or already deleted (409), False on 404."""


class Prober(Protocol):
    """Looks at a port from outside."""

    async def banner(self, host: str, port: int) -> bool:
        """Whether an SSH server introduces itself there, within a few real seconds."""


class DirectPosts(Protocol):
    """Messages outside the outbox, for when the store can't take them."""

    async def post(self, user: str, event: Event) -> bool:
        """Sends an event of the account to a person. Returns False if Slack did not take it. Never raises."""


class Channels(Protocol):
    """What is known of Slack conversations."""

    async def get(self, channel: str) -> Channel:
        """Return the conversation. If Slack doesn't answer, return one that we are no member of. Never raise."""


# --- the store


class Usage(Frozen):
    """What all live envelopes add up to."""

    person_rentals: int
    team_rate: Decimal
    """USD per hour: the sum of the highest rates that live envelopes allow."""


class Billing(Frozen):
    """A resource as its cost is made of it: what the marketplace says, and what counts where that says nothing."""

    rate: Decimal | None
    """USD per hour."""
    valid_from: Instant | None
    valid_to: Instant | None
    offer_rate: Decimal
    intended_at: Instant
    """When its attempt was intended."""
    billed_to: Instant | None
    """Until when it is in the ledger; None where it isn't."""


class LiveCost(Frozen):
    """A live rental as a sum over many needs it."""

    rental_id: str
    owner: str
    state: State
    rate: Decimal | None
    created_at: Instant
    billed: Micros
    """What of it is in the ledger."""
    estimated: bool
    """Whether part of that is."""
    alive: tuple[Billing, ...]


class KnownResource(Frozen):
    """What deleting a resource needs to know of it."""

    resource_id: str
    status: str
    """The API's word; `bot.model.attempt.NAMED` if nobody has seen it yet."""
    read_at: Instant
    delete_accepted_at: Instant | None = None


class Claimed(Frozen):
    """A rental that is due. It holds nothing that needs an envelope or a state to be parsed: a rental that can't
    be loaded fails in its own step, and keeps no other from being claimed."""

    id: str
    version: int
    state: str
    owner: str
    accepted_at: Instant | None
    ends_at: Instant | None
    due_at: Instant | None


class UnfinishedAttempt(Frozen):
    """An attempt that may still bill, with the moments from which its end is counted. It holds nothing that needs
    an offer, an envelope or a state to be parsed."""

    rental_id: str
    n: int
    newest: bool
    """Whether it is the rental's last attempt; `accepted_at` and `ends_at` are about that one."""
    owner: str
    offer_id: str
    intended_at: Instant
    marked_for_deletion: bool
    accepted_at: Instant | None
    ends_at: Instant | None
    destroying_since: Instant | None
    over_at: Instant | None
    resources: tuple[KnownResource, ...] = ()
    """Those that are not gone."""


class Change(Frozen):
    """What one decision writes. Attempts, resources and the ledger are facts and always written; the rental, its
    events and messages only if the rental is still as it was in `before`. An attempt that the store doesn't know
    yet is an intent, part of the decision, and written only with it."""

    before: Rental | None
    """None: a new rental."""
    after: Rental
    events: tuple[Event, ...] = ()
    messages: tuple[tuple[int | None, Message], ...] = ()
    """Each with the index into `events` of the event that it tells, or None."""
    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    releases_claim: bool = False
    """Whether the rental's claim ends with this change. Only the step that holds the claim says so."""

    @model_validator(mode="after")
    def _check_transition(self) -> Self:
        """Raise ForbiddenTransition if the table doesn't have it, so that no code path can bypass the table."""
        check_change(None if self.before is None else self.before.state, self.after.state)
        return self


class Unsendable(Frozen):
    """Messages that can't be sent now. The store skips them, so that what is behind them is found without reading
    all of them first."""

    ids: frozenset[int] = frozenset()
    finds: bool = False
    """Every post whose outcome is unknown, so that the conversation is read back first."""
    posts: bool = False
    """Every other post."""
    channels: frozenset[str] = frozenset()
    """Posts to these channels and people, by id."""
    edits: bool = False
    answers: bool = False


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

    async def recent(self, owner: str, limit: int) -> list[Rental]:
        """The newest of one person, over or not."""

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
