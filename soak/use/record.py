"""The record of a simulation: everything that happened to machines and people.

The checks and the table of costs read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.model.budget import UseCosts
from bot.model.event import Event
from bot.model.rental import Rental
from bot.policy.team.rules import Rules


@dataclass(frozen=True)
class Life:
    """A rental that became ready, with everything that happened to it."""

    rental: Rental
    """The rental in its final state."""
    events: tuple[Event, ...]
    zone: ZoneInfo
    """The owner's time zone."""
    computed: tuple[datetime, ...]
    """The times of the steps at which the machine computed."""
    cost: UseCosts
    jobs_end: tuple[datetime, ...] = ()
    """The times at which jobs ended on the machine."""


@dataclass(frozen=True)
class Unmanaged:
    """An unmanaged machine: one that was added to the account without the bot."""

    added_at: datetime
    notified_at: datetime | None
    """The time at which the admins were notified of the machine, or None if they never were."""


@dataclass(frozen=True)
class Record:
    """Everything that happened during a simulation."""

    rules: Rules
    lives: tuple[Life, ...]
    unmanaged: tuple[Unmanaged, ...]
    left_alive: int
    """The number of rented machines that still billed after every lease had ended."""
