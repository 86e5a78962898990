"""When a step asks the marketplace again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import SystemRandom

from bot.errors import MarketAway

POLL = timedelta(seconds=15)
"""docs/compute-clear.md: the status is to be polled every 15 seconds."""
JITTER = timedelta(seconds=1)
"""At most this much is added or taken at random, so that rentals that began together don't go on polling
together."""
TOGETHER = timedelta(seconds=0.25)
"""The due times of polls are multiples of this apart, so that a pass of the engine takes several at once. With a
thousand rentals, a poll takes a tenth less CPU than with a due time of its own."""
LONGEST_WAIT = timedelta(minutes=2)
"""A longer `Retry-After` is cut to this: a resource that may bill is not left alone for longer."""

_random = SystemRandom()
_first = datetime.min.replace(tzinfo=UTC) + TOGETHER * _random.random()
"""Each due time of a poll is a multiple of TOGETHER after this. Each process has its own, so that replicas don't
claim at the same moments."""


def poll_at(now: datetime) -> datetime:
    """Return when to ask the marketplace again."""
    at = now + POLL - JITTER + (2 * JITTER - TOGETHER) * _random.random()
    return at + until_polls(at)


def until_polls(now: datetime) -> timedelta:
    """Return how long it is until the next moment, after `now`, at which polls of this process are due."""
    return TOGETHER - (now - _first) % TOGETHER


def retry_at(now: datetime, away: MarketAway) -> datetime:
    """Return when to ask again after a call without a usable answer: at the next poll, or later if the marketplace
    asks to wait.
    """
    return max(poll_at(now), now + min(timedelta(seconds=away.retry_after or 0.0), LONGEST_WAIT))


def soonest(*moments: datetime | None) -> datetime | None:
    """Return the earliest of the moments that are set. Return None if none is."""
    return min((moment for moment in moments if moment is not None), default=None)
