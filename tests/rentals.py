"""The parts of a rental that a test expects it to have."""

from __future__ import annotations

from bot.model.rental import Alarm, Blocked, Ending, Rental, Waiting


def waiting(rental: Rental) -> Waiting:
    """The decision that it waits for."""
    assert rental.waiting is not None
    return rental.waiting


def blocked(rental: Rental) -> Blocked:
    """Since when and why buying is blocked."""
    assert rental.blocked is not None
    return rental.blocked


def ending(rental: Rental) -> Ending:
    """How it ended, or will have."""
    assert rental.ending is not None
    return rental.ending


def alarm(rental: Rental) -> Alarm:
    """The alarm about its deletion."""
    assert rental.alarm is not None
    return rental.alarm
