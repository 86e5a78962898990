"""What the store reads and writes besides models."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import model_validator

from bot.lifecycle.transitions import check_change
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import Frozen, Instant
from bot.model.event import Event
from bot.model.message import Message
from bot.model.money import Micros
from bot.model.rental import Rental
from bot.model.state import State


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
