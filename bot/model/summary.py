"""A rental with all that a reader may be told of it, and many with what a list tells: what views are given."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import Frozen
from bot.model.event import Event
from bot.model.money import Micros
from bot.model.rental import Rental


class AccruedCost(Frozen):
    """What a rental has cost so far."""

    amount: Micros
    estimated: bool
    """Part of it is ours, where the API said less than start and price."""


class RentalSummary(Frozen):
    """A rental as of one moment, in short."""

    rental: Rental
    spent: AccruedCost
    names: dict[str, str]
    """User id to display name, of everyone whom it names."""
    sees_money: bool = False
    """Whether its reader may see what it costs."""


class RentalDetails(RentalSummary):
    """A rental as of one moment, with its history; `names` has everyone whom that names."""

    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    events: tuple[Event, ...] = ()
    usual: timedelta | None = None
    """How long such machines usually take from procurement to ready."""
    owners_live: tuple[Rental, ...] = ()
    """What its owner has that is not over, this one too; only while something of it waits for a decision."""

    @property
    def current(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


class CostTotals(Frozen):
    """What live rentals cost together."""

    rate: Decimal
    """USD per hour of what runs or is being made."""
    amount: Micros
    """What they have cost so far."""


class RentalList(Frozen):
    """Live rentals as of one moment."""

    shown: tuple[RentalSummary, ...]
    """The oldest of those that were asked for."""
    more: int
    """How many more there are."""
    own: CostTotals
    """Of the reader's."""
    team: CostTotals
    """Of all."""
