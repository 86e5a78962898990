"""The changes of what is known of a machine while it is in use: its price, address, host key, use and set-up.

None of them changes the rental's state. Each function returns the next version of a rental; none writes to the
store.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bot.lifecycle.transitions import alter
from bot.model.rental import Rental
from bot.model.use import SetupProgress, Use


def change_rate(rental: Rental, rate: Decimal) -> Rental:
    """Its resources now bill `rate`."""
    return alter(rental, rate=rate)


def note_address(rental: Rental, host: str, port: int | None) -> Rental:
    """A machine that is in use has an address, which it had not when it became ready."""
    return alter(rental, host=host, port=port)


def note_host_key(rental: Rental, host_key: str) -> Rental:
    """A machine that is in use gave its host key, which it had not given before: it answers on its SSH port."""
    return alter(rental, host_key=host_key, quiet_since_real=None)


def note_use(rental: Rental, use: Use, now: datetime) -> Rental:
    """The verdict about its use changed. Its step is due, because its next question or its end may change."""
    return alter(rental, use=use, due_at=now)


def note_unseen(rental: Rental, use: Use | None) -> Rental:
    """Nobody sees how the machine is used: `use` says since when, or is None if it has no probe any more."""
    return alter(rental, use=use)


def note_probe_answer(rental: Rental, answered_at: datetime, setup: SetupProgress | None) -> Rental:
    """The probe of a machine in use answered, for the first time at `answered_at`, and reported its set-up."""
    return alter(rental, probe_answered_at=answered_at, setup_progress=setup)
