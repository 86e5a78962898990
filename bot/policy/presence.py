"""When the marketplace is asked whether a ready machine still exists."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.base import Frozen, Instant
from bot.model.request import Contract
from bot.model.use import Missed, Sample

CHECK_EVERY = timedelta(minutes=3)
SPOT_EVERY = timedelta(seconds=60)
"""A spot machine that no visit sees is asked for this often, because a vendor can take it back at any time."""
ANSWER_COUNTS_FOR = {Contract.SPOT: timedelta(seconds=75), Contract.ONDEMAND: timedelta(seconds=135)}
"""How long the answer to a visit shows that the machine exists: until the end of the next visit. That begins after
60 s on spot and 120 s on demand, and takes 15 s at most."""
ANSWERED = frozenset({None, Missed.NO_NVIDIA_SMI, Missed.NVIDIA_SMI_HANGS})
"""The probe answered, with or without readings of GPUs."""


class Check(Frozen):
    """The next time that the marketplace is asked for a machine."""

    at: Instant
    live: bool
    """Whether the vendor itself is asked. If not, the market's cache is, which may show a machine that is gone."""


def next_check(read_at: datetime, contract: Contract, last: Sample | None, now: datetime) -> Check:
    """Return the next check of a machine that was read last at `read_at`. `last` is its newest sample.

    It is due at once after a missed visit. While visits are answered, only the cache is asked, for the price.
    """
    every = SPOT_EVERY if contract is Contract.SPOT else CHECK_EVERY
    if last is not None and last.missed in ANSWERED:
        shown_until = last.at + ANSWER_COUNTS_FOR[contract]
        at = min(read_at + CHECK_EVERY, max(read_at + every, shown_until))
        return Check(at=at, live=now >= shown_until)
    if last is not None and last.at > read_at:
        return Check(at=last.at, live=True)
    return Check(at=read_at + every, live=True)
