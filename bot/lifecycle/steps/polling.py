"""How often the marketplace is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import SystemRandom

from bot.errors import MarketAway

POLL = timedelta(seconds=15)
"""The guide: "Poll until ready ... every 15 seconds"."""
JITTER = timedelta(seconds=1)
"""So that rentals that began together don't ask together for ever."""
LONGEST_WAIT = timedelta(minutes=2)
"""However long the marketplace asks to wait: what may bill isn't left alone for longer."""

_random = SystemRandom()


def poll_at(now: datetime) -> datetime:
    """When to ask again."""
    return now + POLL + JITTER * _random.uniform(-1, 1)


def again_at(now: datetime, away: MarketAway) -> datetime:
    """When to ask again after no usable answer: later where the marketplace asked for that."""
    return max(poll_at(now), now + min(timedelta(seconds=away.retry_after or 0.0), LONGEST_WAIT))


def soonest(*moments: datetime | None) -> datetime | None:
    """The earliest of what is set."""
    return min((moment for moment in moments if moment is not None), default=None)
