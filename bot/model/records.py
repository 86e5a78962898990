"""Records that the store reads and writes in addition to the models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field

from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import Frozen, Instant
from bot.model.event import Event
from bot.model.message import Message, NextCall
from bot.model.money import Micros
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State, check_change


class Claimed(Frozen):
    """A row that was due and that this process has claimed, so that no other process works on it.

    Rows are claimed in batches. One row with invalid values must not make its whole batch fail, so this class
    contains no value that has to be parsed. A row with invalid values fails later, when the process works on it.
    """

    id: str
    due_at: Instant


class ClaimedRental(Claimed):
    """A due rental that this process has reserved (claimed), with its values at that time."""

    version: int
    state: str
    owner: str
    accepted_at: Instant | None
    ends_at: Instant | None


class Look(Frozen):
    """The database server's time, and the number of processes that use the database."""

    database_time: Instant | None
    """The database's wall-clock time. None with SQLite, which uses this machine's clock."""
    replicas: int
    """The number of processes that use the database, including this one."""


class Usage(Frozen):
    """The parts of a person's and the team's limits that are used up by rentals that aren't over."""

    person_rentals: int
    team_rate: Decimal
    """USD per hour that the team's rentals use up. Rentals that are over use up nothing.

    This is the sum of the highest rates that the rentals' approved terms allow. If the bot gave up a purchase that
    may have bought a machine, its price is added.
    """


class StoredFacts(NamedTuple):
    """The purchases of a rental, its resources, and its ledger."""

    attempts: list[Attempt]
    resources: list[Resource]
    ledger: list[LedgerRow]


class Billing(NamedTuple):
    """The values from which a resource's cost is computed.

    The values come from the marketplace. If the marketplace doesn't report a value, the bot's own value is used.
    """

    rate: Decimal | None
    """USD per hour. None if the API didn't report it."""
    valid_from: datetime | None
    valid_to: datetime | None
    offer_rate: Decimal
    intended_at: datetime
    """The time at which the purchase of the resource was stored, before its procure call."""
    billed_to: datetime | None
    """The time up to which the ledger covers the resource. None if it isn't in the ledger."""


class Charged(NamedTuple):
    """The values of a rental that determine how its cost is divided into charges."""

    rental_id: str
    owner: str
    project: str
    gpus: int
    attempts: int
    ready_at: datetime | None
    ending_since: datetime | None
    over_at: datetime | None

    @classmethod
    def of(cls, rental: Rental) -> Charged:
        return cls(
            rental.id,
            rental.owner,
            rental.project,
            rental.request.count,
            rental.attempts,
            rental.lease.ready_at if rental.lease is not None else None,
            rental.ending.since if rental.ending is not None else None,
            rental.over_at,
        )


class ChargedRate(NamedTuple):
    """The hourly price of a machine that runs now, and whom it is charged to."""

    owner: str
    project: str
    rate: Decimal
    """USD per hour for the whole machine."""


class AliveResource(NamedTuple):
    """A resource that hasn't been terminated."""

    resource_id: str
    rental_id: str
    rate: Decimal | None
    """USD per hour. None if the API didn't report it."""


class Accruing(NamedTuple):
    """A resource that hasn't been terminated, with the values for its next ledger row and charges."""

    charged: Charged
    resource_id: str
    attempt: int
    billing: Billing
    delete_accepted_at: datetime | None
    rows: int
    """The number of rows that the resource already has in the ledger."""


class Running(NamedTuple):
    """The number of rentals that have the values of the other fields. Rentals that are over aren't counted."""

    state: State
    rate: Decimal | None
    """USD per hour for each rental."""
    idle: bool
    """True if the machines of these rentals are idle."""
    undecided: bool
    """True if a request or an extension of each rental waits for a decision."""
    number: int


class LiveCost(NamedTuple):
    """The values from which the cost of a rental that isn't over is computed."""

    rental_id: str
    owner: str
    state: State
    rate: Decimal | None
    created_at: datetime
    billed: Micros
    """The sum of the rental's ledger rows."""
    estimated: bool
    """True if a part of `billed` is an estimate."""
    alive: tuple[Billing, ...]


class EndedCost(Frozen):
    """The cost of a rental that is over, as billed."""

    rental_id: str
    request: Request
    gpu: str | None
    """The canonical name of the GPU that was bought. None if it isn't known."""
    ended_at: Instant
    billed: Mapping[str, Micros]
    """The amount charged to each owner of the rental, by Slack ID.

    There are several owners if the machine was given to another person.
    """
    estimated: bool


class KnownResource(Frozen):
    """The values that are needed to delete a resource whose end is long past."""

    resource_id: str
    status: str
    """The status as the API reports it, or `bot.model.attempt.NAMED` if no read has shown the resource yet."""
    read_at: Instant
    delete_accepted_at: Instant | None = None


class EndTimes(Frozen):
    """The times that determine when the machine of a purchase has to be deleted.

    The offer, terms and state of the rental are deliberately not read. Even if they can't be parsed, the machine
    must be deleted when these times say so.
    """

    rental_id: str
    owner: str
    newest: bool
    """True if this is the rental's last purchase. `accepted_at` and the lease then belong to it."""
    intended_at: Instant
    accepted_at: Instant | None
    ends_at: Instant | None
    destroying_since: Instant | None
    over_at: Instant | None


class UnfinishedAttempt(EndTimes):
    """A purchase that may still cost money."""

    n: int
    offer_id: str | None
    """The ID of the offer that was bought.

    None if the machine wasn't rented through the bot. The store already knows all resources of such a machine, so
    nothing has to be looked up.
    """
    marked_for_deletion: bool
    resources: tuple[KnownResource, ...] = ()
    """The resources that haven't been terminated."""


class WatchedResource(EndTimes):
    """A resource that hasn't been terminated, with the times that determine when it has to be deleted."""

    resource_id: str
    name: str | None
    rate: Decimal | None
    """USD per hour. None if the API didn't report it."""
    offer_rate: Decimal
    orphaned: bool
    """True if the resource belongs to a purchase that the bot gave up.

    The resource never becomes the rental's machine. The bot only deletes it.
    """
    latest_end: Instant | None


@dataclass(frozen=True)
class Change:
    """A change of a rental: everything that one decision writes in one transaction.

    Resources, ledger rows and updates of existing attempts are always written, because they record what has
    already happened at the market. The rental, its events, its messages and a new attempt are written only if the
    stored rental still equals `before`.

    Raises ForbiddenTransition if `bot.model.state` doesn't allow the rental's change of state.
    """

    before: Rental | None
    """The rental before the change. None for a new rental."""
    after: Rental
    events: tuple[Event, ...] = ()
    messages: tuple[tuple[int | None, Message], ...] = ()
    """Messages in addition to those that `EFFECTS` assigns to the events.

    Each message comes with the position in `events` of the event that causes it. The position is None if no event
    causes the message. `apply` adds the messages from `EFFECTS`.
    """
    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    under_claim: bool = False
    """True if the rental, its events and its messages are written only under this process's claim.

    A claim is the exclusive right of one process to work on a rental for a limited time.
    """
    releases_claim: bool = False
    """True if the change ends this process's claim, the exclusive right to work on the rental.

    Only the code that advances the rental sets this.
    """
    probed_at: datetime | None = None
    """The time of the newest probe run that the decision is based on. None if it isn't based on probe runs.

    If there was a later probe run, the change isn't written, as if the rental had changed.
    """
    within_budgets: bool = False
    """True if the change is written only if the budgets can cover the money that the rental reserves."""

    def __post_init__(self) -> None:
        check_change(None if self.before is None else self.before.state, self.after.state)

    @property
    def moves_end(self) -> bool:
        """True if the lease of a machine that stays ready gets a new end."""
        before, after = self.before, self.after
        if before is None or before.lease is None or after.lease is None or after.state is not State.READY:
            return False
        return before.lease.ends_at != after.lease.ends_at


class Unsendable(Frozen):
    """The messages that can't be sent at the moment.

    The store leaves these messages out when it reads a batch of due messages. Otherwise, they could fill the batch
    and delay the messages that can be sent.
    """

    ids: frozenset[int] = frozenset()
    calls: frozenset[NextCall] = frozenset()
    """The calls to Slack that can't be made now. A message whose next call is one of these is left out."""
    edits_again: bool = False
    """True to leave out edits that could turn out to repeat what Slack already shows."""
    channels: frozenset[str] = frozenset()
    """The IDs of channels and people to whom nothing can be posted at the moment."""
    passed: frozenset[int] = frozenset()
    """The IDs of unsent messages that later messages to the same reader may overtake."""
    homes: frozenset[str] = frozenset()
    """The IDs of people whose Home tabs can't be published at the moment.

    There is one exception: if a person has just turned to another page of their Home tab, the tab is published.
    """

    def excludes(self, message: Message) -> bool:
        """Return whether a message has to wait because its next call, edit or destination is excluded."""
        call = message.next_call
        return (
            call in self.calls
            or (self.edits_again and call is NextCall.EDIT and message.shown_again)
            or (call is NextCall.POST and message.to.value in self.channels)
        )


class PolicyFile(Frozen):
    """A policy file and the setup scripts that it names.

    The policy and the scripts are stored as text. After an upgrade, the new version of gpubot can therefore parse
    the text again.
    """

    text: str = ""
    scripts: Mapping[str, str] = Field(default_factory=dict)
    """The text of each setup script, by the path that the policy file uses."""


class PolicyVersion(Frozen):
    """A policy file that came into force."""

    n: int
    """The version number, counted from 1."""
    at: Instant
    """The time at which the file was read."""
    by: str | None = None
    """The Slack ID of the admin who reloaded the file. None if it was read at a start or after SIGHUP."""
    file: PolicyFile
