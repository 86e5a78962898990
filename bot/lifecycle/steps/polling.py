"""The times at which the bot polls the Compute Clear API again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import SystemRandom

from bot.errors import MarketAway

POLL = timedelta(seconds=15)
"""The poll interval. Compute Clear requires it: see docs/compute-clear.md."""
JITTER = timedelta(seconds=1)
"""The largest random amount by which a poll interval is lengthened or shortened.

Without this random amount, rentals that began at the same time would always be polled at the same time.
"""
TOGETHER = timedelta(seconds=0.25)
"""The spacing of the due times of polls.

Polls are due only at multiples of this time, so that many rentals are due at once. This saves CPU time.
"""
LONGEST_WAIT = timedelta(minutes=2)
"""The longest time that a `Retry-After` of the marketplace can postpone a poll.

A resource that can cause costs must not stay unattended for longer.
"""

_random = SystemRandom()
_first = datetime.min.replace(tzinfo=UTC) + TOGETHER * _random.random()
"""The time from which the multiples of TOGETHER are counted.

It is random in each process, so that several processes don't claim rows at the same moments.
"""


def poll_at(now: datetime) -> datetime:
    """Return the time of the next poll."""
    at = now + POLL - JITTER + (2 * JITTER - TOGETHER) * _random.random()
    return at + until_polls(at)


def until_polls(now: datetime) -> timedelta:
    """Return the time from `now` until the next moment at which this process can poll."""
    return TOGETHER - (now - _first) % TOGETHER


def retry_at(now: datetime, away: MarketAway) -> datetime:
    """Return the time of the next try after a call that got no usable answer.

    The next try is the next poll. It is later if the marketplace asked for a longer wait.
    """
    return max(poll_at(now), now + min(timedelta(seconds=away.retry_after or 0.0), LONGEST_WAIT))


def soonest(*moments: datetime | None) -> datetime | None:
    """Return the earliest of the times that are set. None if none is set."""
    return min((moment for moment in moments if moment is not None), default=None)
