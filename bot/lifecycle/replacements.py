"""The changes of a rental whose place another one takes; its state stays."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.transitions import alter
from bot.model.rental import Rental
from bot.model.state import State


def replace(rental: Rental, by: str, now: datetime) -> Rental:
    """Another rental takes its place. If it still runs, its next step waits until that one is bought."""
    return alter(rental, replaced_by=by, due_at=now if rental.state is State.READY else rental.due_at)


def stay(rental: Rental) -> Rental:
    """The rental that was to take its place ended without a machine."""
    return alter(rental, replaced_by=None)
