"""Parts of a rental that may be None. Each function fails if its part is None."""

from __future__ import annotations

from bot.model.rental import Alarm, Blocked, Ending, PendingDecision, Rental


def waiting(rental: Rental) -> PendingDecision:
    """Return the decision that the rental waits for."""
    assert rental.decision is not None
    return rental.decision


def blocked(rental: Rental) -> Blocked:
    """Return the time since which the rental's purchase has been blocked, and the reason."""
    assert rental.blocked is not None
    return rental.blocked


def ending(rental: Rental) -> Ending:
    """Return the end of the rental, whether it has ended or will end."""
    assert rental.ending is not None
    return rental.ending


def alarm(rental: Rental) -> Alarm:
    """Return the alarm about the rental's deletion."""
    assert rental.alarm is not None
    return rental.alarm
