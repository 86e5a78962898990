"""Parts of a rental that may be None. Each function fails if its part is None."""

from __future__ import annotations

from bot.model.rental import Alarm, Blocked, Ending, PendingDecision, Rental


def waiting(rental: Rental) -> PendingDecision:
    """Return the decision that it waits for."""
    assert rental.decision is not None
    return rental.decision


def blocked(rental: Rental) -> Blocked:
    """Return since when and why its purchase is blocked."""
    assert rental.blocked is not None
    return rental.blocked


def ending(rental: Rental) -> Ending:
    """Return how it ended, or will end."""
    assert rental.ending is not None
    return rental.ending


def alarm(rental: Rental) -> Alarm:
    """Return the alarm about its deletion."""
    assert rental.alarm is not None
    return rental.alarm
