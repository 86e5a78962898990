"""Decides whether this machine's clock can be trusted, and by which clock overdue machines are deleted. No I/O.

This machine is the computer on which the bot runs. Its clock is compared with the database's clock, and with the
clocks of Compute Clear and Slack. The latter two are called witnesses (docs/decisions/store.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from bot.model.text import say_clock_gap

MOST_FROM_DATABASE = timedelta(seconds=2)
"""The largest accepted difference between this machine's clock and the database's.

If the difference is larger, this process starts no work: by its own clock, it would do things at the wrong time.
"""
MOST_FROM_WITNESSES = timedelta(minutes=2)
"""The largest accepted difference between this machine's clock and the witnesses'.

The witnesses' clocks can be slightly wrong themselves, so a small difference is ignored.
"""
WITNESSES = 2


class ClockDifference(NamedTuple):
    """The difference between this machine's clock and another clock."""

    ahead: timedelta
    """The time by which this machine's clock is ahead. Negative if it is behind."""
    from_database: bool
    """True if the other clock is the database's. False if the clocks of both witnesses differ from this one."""

    @property
    def text(self) -> str:
        """Return the difference as text: `2 h ahead of the database's`."""
        return say_clock_gap(self.ahead, "the database's" if self.from_database else "Compute Clear's and Slack's")


def clock_difference(
    ahead_of_database: timedelta, ahead_of_witnesses: Sequence[timedelta], before: ClockDifference | None
) -> ClockDifference | None:
    """Return the difference that makes this machine's clock untrustworthy, or None if the clock can be trusted.

    The two witnesses are Compute Clear and Slack, which send their time with each response. If a witness hasn't
    responded for ten minutes, an earlier difference from the witnesses remains the result until the other witness
    agrees with this machine's clock.

    Args:
        ahead_of_database: The time by which this machine's clock is ahead of the database's. Zero with SQLite,
            which has no clock of its own.
        ahead_of_witnesses: The time by which this machine's clock is ahead of each witness.
        before: The previous result of this function.
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
    """Return the time by which this machine's clock is ahead of the clock that decides about deletions.

    Normally, the database's clock decides whether a machine is overdue. There is one exception: if the clocks of
    all witnesses are clearly behind the database's clock, the latest of the witnesses' clocks decides. A wrong
    clock can therefore delay a deletion, but never make the deletion come too early.

    Args:
        ahead_of_database: The time by which this machine's clock is ahead of the database's clock.
        ahead_of_witnesses: The time by which this machine's clock is ahead of each witness. The witnesses are
            Compute Clear and Slack. A witness that hasn't responded for ten minutes is left out.
    """
    least = min(ahead_of_witnesses, default=ahead_of_database)
    return least if least - ahead_of_database > MOST_FROM_WITNESSES else ahead_of_database
