"""A rental with all that a reader may be told of it: what views are given."""

from __future__ import annotations

from datetime import timedelta

from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import Frozen
from bot.model.event import Event
from bot.model.money import Micros
from bot.model.rental import Rental


class Spent(Frozen):
    """What a rental has cost so far."""

    amount: Micros
    estimated: bool
    """Part of it is ours, where the API said less than start and price."""


class Story(Frozen):
    """A rental as of one moment."""

    rental: Rental
    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    events: tuple[Event, ...] = ()
    spent: Spent
    usual: timedelta | None = None
    """How long such machines usually take from procurement to ready."""
    names: dict[str, str]
    """User id to display name, of everyone whom the rental or its events name."""
    owners_live: tuple[Rental, ...] = ()
    """What its owner has that is not over, this one too; only while something of it waits for a decision."""

    @property
    def current(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None
