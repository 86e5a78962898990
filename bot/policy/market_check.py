"""When the marketplace is asked whether a ready machine still exists."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.base import Frozen, Instant
from bot.model.request import Contract
from bot.model.use import Missed, Sample
from bot.policy.visiting import VISIT_EVERY, asks_vendor

CHECK_EVERY = timedelta(minutes=3)
SPOT_EVERY = timedelta(seconds=60)
"""A spot machine that no visit sees is checked this often, because a vendor can take it back at any time."""
LONGEST_VISIT = timedelta(seconds=15)
"""An answered visit shows that the machine exists until the next visit is over: after VISIT_EVERY and this."""


class Check(Frozen):
    """The next time that the marketplace is asked for a machine."""

    at: Instant
    live: bool
    """Whether to ask the vendor itself. Otherwise the market's cache is asked, which may show a machine that is
    gone."""


def next_check(read_at: datetime, contract: Contract, last: Sample | None, now: datetime) -> Check:
    """Return the next check of a machine that was last read at `read_at`. `last` is its newest sample.

    It is due at once after a missed visit. While visits are answered, only the cache is asked, for the price.
    """
    every = SPOT_EVERY if contract is Contract.SPOT else CHECK_EVERY
    if last is None or last.missed is Missed.REFUSED:
        return Check(at=read_at + every, live=True)
    if asks_vendor(last.missed):
        return Check(at=last.at if last.at > read_at else read_at + every, live=True)
    shown_until = last.at + VISIT_EVERY[contract] + LONGEST_VISIT
    at = min(read_at + CHECK_EVERY, max(read_at + every, shown_until))
    return Check(at=at, live=now >= shown_until)
