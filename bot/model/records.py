"""Values that the store reads and writes besides models."""

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
    """A row that was due and that this process has claimed. It holds nothing that is parsed: a row that can't be
    loaded must fail in its own work, not when it is claimed together with others.
    """

    id: str
    due_at: Instant


class ClaimedRental(Claimed):
    """A rental that was due, as it was claimed."""

    version: int
    state: str
    owner: str
    accepted_at: Instant | None
    ends_at: Instant | None


class Look(Frozen):
    """How a process stands among those that share its database."""

    database_time: Instant | None
    """The database's real time. None with SQLite, which uses this machine's clock."""
    replicas: int
    """How many processes use it, this one included."""


class Usage(Frozen):
    """The part of the limits that live rentals use up."""

    person_rentals: int
    team_rate: Decimal
    """USD per hour: the highest rates that live envelopes allow, plus the prices of unproven attempts."""


class StoredFacts(NamedTuple):
    """The attempts of a rental, their resources, and its ledger."""

    attempts: list[Attempt]
    resources: list[Resource]
    ledger: list[LedgerRow]


class Billing(NamedTuple):
    """What a resource's cost is computed from: the marketplace's values, and ours where those are missing."""

    rate: Decimal | None
    """USD per hour."""
    valid_from: datetime | None
    valid_to: datetime | None
    offer_rate: Decimal
    intended_at: datetime
    """When its attempt was intended."""
    billed_to: datetime | None
    """Until when it is in the ledger. None if it isn't."""


class Charged(NamedTuple):
    """The values of a rental by which what it billed is charged."""

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


class AliveResource(NamedTuple):
    """A resource that is not gone."""

    resource_id: str
    rental_id: str
    rate: Decimal | None
    """USD per hour. None if the API didn't state it."""


class Accruing(NamedTuple):
    """A resource that is not gone, with the values from which its next ledger row and its charges are computed."""

    charged: Charged
    resource_id: str
    attempt: int
    billing: Billing
    delete_accepted_at: datetime | None
    rows: int
    """How many rows it has in the ledger."""


class Running(NamedTuple):
    """How many live rentals have the same state, rate and answers to two questions."""

    state: State
    rate: Decimal | None
    """USD per hour of each."""
    idle: bool
    """Whether nobody uses their machines."""
    undecided: bool
    """Whether a request of theirs waits for a decision."""
    number: int


class LiveCost(NamedTuple):
    """The values of a live rental from which the total cost of many is computed."""

    rental_id: str
    owner: str
    state: State
    rate: Decimal | None
    created_at: datetime
    billed: Micros
    """The sum of its ledger rows."""
    estimated: bool
    """Whether a part of `billed` is estimated."""
    alive: tuple[Billing, ...]


class EndedCost(Frozen):
    """What one rental that is over was billed."""

    rental_id: str
    request: Request
    gpu: str | None
    """The canonical name of the GPU that was bought, if it is known."""
    ended_at: Instant
    billed: Mapping[str, Micros]
    """What each of its owners was charged, by Slack id. It has several if the machine was given away."""
    estimated: bool


class KnownResource(Frozen):
    """The values of a resource that the overdue deletion needs."""

    resource_id: str
    status: str
    """The API's word; `bot.model.attempt.NAMED` if nobody has seen it yet."""
    read_at: Instant
    delete_accepted_at: Instant | None = None


class EndTimes(Frozen):
    """The times from which an attempt's end is counted. They come without an offer, envelope or state, because a
    rental whose stored values can't be parsed must be deleted too.
    """

    rental_id: str
    owner: str
    newest: bool
    """Whether it is the rental's last attempt, to which `accepted_at` and the lease belong."""
    intended_at: Instant
    accepted_at: Instant | None
    ends_at: Instant | None
    destroying_since: Instant | None
    over_at: Instant | None


class UnfinishedAttempt(EndTimes):
    """An attempt that may still bill."""

    n: int
    offer_id: str | None
    """None for an adopted machine, whose resources the store all has."""
    marked_for_deletion: bool
    resources: tuple[KnownResource, ...] = ()
    """Those that are not gone."""


class WatchedResource(EndTimes):
    """A resource that is not gone, with the times of its attempt."""

    resource_id: str
    name: str | None
    rate: Decimal | None
    """USD per hour. None if the API didn't state it."""
    offer_rate: Decimal
    orphaned: bool
    """As `Attempt.orphaned`."""
    latest_end: Instant | None


@dataclass(frozen=True)
class Change:
    """A change of a rental: everything that one decision writes.

    Attempts, resources and the ledger are facts and always written; the rental, its events and messages only if
    the rental is still as it was in `before`. An attempt that the store doesn't know yet is an intent, part of the
    decision, and written only with it.

    Raise ForbiddenTransition if the table lacks the transition, so that no code path can bypass the table.
    """

    before: Rental | None
    """None: a new rental."""
    after: Rental
    events: tuple[Event, ...] = ()
    messages: tuple[tuple[int | None, Message], ...] = ()
    """Each with its event's index in `events`, or None. A decision names only those that don't follow from its
    events; `apply` adds the others."""
    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    under_claim: bool = False
    """Whether all but its facts is written only if this process holds the claim on the rental."""
    releases_claim: bool = False
    """Whether the rental's claim ends with this change. Only the step that holds the claim sets this."""
    probed_at: datetime | None = None
    """The newest visit that the decision knows. If the machine was visited later, the rental counts as changed.
    None if the decision doesn't depend on visits."""
    within_budgets: bool = False
    """Whether it is written only if budgets hold what the rental adds to them."""

    def __post_init__(self) -> None:
        check_change(None if self.before is None else self.before.state, self.after.state)


class Unsendable(Frozen):
    """Messages that can't be sent now. The store skips them, since many in front would hide all others."""

    ids: frozenset[int] = frozenset()
    calls: frozenset[NextCall] = frozenset()
    """All messages that need one of these calls next."""
    edits_again: bool = False
    """Edits of what is shown again."""
    channels: frozenset[str] = frozenset()
    """Posts to these channels and people, by id."""
    passed: frozenset[int] = frozenset()
    """Unsent messages for which later ones to the same reader no longer wait, by id."""
    homes: frozenset[str] = frozenset()
    """The Home tabs of these people, by id, unless they turned to another page."""

    def excludes(self, message: Message) -> bool:
        """Return whether a message became unsendable after the query that returned it."""
        call = message.next_call
        return (
            call in self.calls
            or (self.edits_again and call is NextCall.EDIT and message.shown_again)
            or (call is NextCall.POST and message.to.value in self.channels)
        )


class PolicyFile(Frozen):
    """A policy file with the scripts that it names. A newer gpubot reads it as it would read the file itself."""

    text: str = ""
    scripts: Mapping[str, str] = Field(default_factory=dict)
    """The text of each setup script by its path, as the file has it."""


class PolicyVersion(Frozen):
    """A policy file that came into force."""

    n: int
    """1 for the first, then counted up."""
    at: Instant
    """When it was read."""
    by: str | None = None
    """The Slack id of the admin who had it read. None: it was read at a start or after SIGHUP."""
    file: PolicyFile
