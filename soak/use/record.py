"""What happened to machines and people in a plan of use, as the checks and the table of costs read it."""

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
    """One rental that became ready, from its first event to its last."""

    rental: Rental
    """The rental as it was at the end."""
    events: tuple[Event, ...]
    zone: ZoneInfo
    """The owner's zone."""
    computed: tuple[datetime, ...]
    """The moments at which the machine computed when it was looked at."""
    cost: UseCosts


@dataclass(frozen=True)
class Unknown:
    """A machine on the account that the bot didn't know."""

    added_at: datetime
    told_at: datetime | None
    """When the admins were notified of it. None: never."""


@dataclass(frozen=True)
class Record:
    """Everything that happened."""

    rules: Rules
    lives: tuple[Life, ...]
    unknown: tuple[Unknown, ...]
    left_alive: int
    """How many machines of rentals still billed when every lease was over."""
