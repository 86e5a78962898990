"""Decides whether this machine's clock may be trusted, and by which time a machine is overdue. No I/O.

Three clocks are compared with it: the database's, and those of Compute Clear and Slack, which are called witnesses
(docs/decisions/store.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from bot.model.text import say_clock_gap

MOST_FROM_DATABASE = timedelta(seconds=2)
"""If this machine's clock and the database's are further apart, this process claims nothing: what is due by its
clock may not be due."""
MOST_FROM_WITNESSES = timedelta(minutes=2)
"""Witnesses may be a little off themselves, so only a clear difference counts."""
WITNESSES = 2


class ClockDifference(NamedTuple):
    """By how much this machine's clock differs from one that it should agree with."""

    ahead: timedelta
    """Negative if this machine's clock is behind."""
    from_database: bool
    """Whether it differs from the database's clock. Otherwise, it differs from both witnesses."""

    @property
    def text(self) -> str:
        """Return how far this machine's clock is off: `2 h ahead of the database's`."""
        return say_clock_gap(self.ahead, "the database's" if self.from_database else "Compute Clear's and Slack's")


def clock_difference(
    ahead_of_database: timedelta, ahead_of_witnesses: Sequence[timedelta], before: ClockDifference | None
) -> ClockDifference | None:
    """Return why this machine's clock can't be trusted. Return None if it can.

    Args:
        ahead_of_database: Zero with SQLite, which has no clock of its own.
        ahead_of_witnesses: One for each witness that was heard in the last ten minutes.
        before: The last answer. While a witness is silent, what both said counts until the other one disagrees.
    """
    if abs(ahead_of_database) > MOST_FROM_DATABASE:
        return ClockDifference(ahead_of_database, from_database=True)
    if len(ahead_of_witnesses) == WITNESSES:
        least, most = min(ahead_of_witnesses), max(ahead_of_witnesses)
        if least > MOST_FROM_WITNESSES or most < -MOST_FROM_WITNESSES:
            return ClockDifference(min(least, most, key=abs), from_database=False)
        return None
    if before is None or before.from_database:
        return None
    return None if any(abs(ahead) <= MOST_FROM_WITNESSES for ahead in ahead_of_witnesses) else before


def ahead_of_deletions(ahead_of_database: timedelta, ahead_of_witnesses: Sequence[timedelta]) -> timedelta:
    """Return by how much this machine's clock is ahead of the time by which overdue machines are deleted.

    That is the database's time, unless every witness heard in the last ten minutes is clearly behind it: then the
    latest witness's. So a wrong clock may delay a deletion, but never hastens one.
    """
    least = min(ahead_of_witnesses, default=ahead_of_database)
    return least if least - ahead_of_database > MOST_FROM_WITNESSES else ahead_of_database
