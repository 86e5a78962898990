"""How often the marketplace is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import SystemRandom

POLL = timedelta(seconds=15)
"""The guide: "Poll until ready ... every 15 seconds"."""
JITTER = timedelta(seconds=1)
"""So that rentals that began together don't ask together for ever."""

_random = SystemRandom()


def poll_at(now: datetime) -> datetime:
    """When to ask again."""
    return now + POLL + JITTER * _random.uniform(-1, 1)


def soonest(*moments: datetime | None) -> datetime | None:
    """The earliest of what is set."""
    return min((moment for moment in moments if moment is not None), default=None)
