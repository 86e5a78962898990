"""When a ready machine is visited, and what a visit that got no report means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from bot.model.base import Frozen, Instant
from bot.model.machine_use import Missed, Sample
from bot.model.request import Contract
from bot.policy.use.on_ending import STARTS_BEFORE

PROBE_EVERY = {Contract.ONDEMAND: timedelta(minutes=2), Contract.SPOT: timedelta(minutes=1)}
"""The time from the start of one visit to the start of the next."""
WHILE_AWAITED = timedelta(seconds=30)
"""The same while an end waits for the machine's on-ending.sh: until a visit sees that it is done, it bills."""
AFTER_REFUSED = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
"""How long after each refused login in a row the next visit is. The last span repeats, so that a probe that its
owner installs by hand is found.

OpenSSH blocks the address of a client, and all that share it, once its penalties add up to 15 s. A failed login
adds 5 s, which have passed long before the next login (PerSourcePenalties of sshd_config(5), since 9.8).
"""
UNREACHABLE_AFTER = 3
"""After this many visits in a row without an answer, which make the verdict *unknown*, the next ones come only
every WHILE_UNREACHABLE."""
WHILE_UNREACHABLE = timedelta(minutes=5)
"""Shorter than `usage_status.LONGEST_GAP`, so that a verdict can still follow from these visits."""
KEEP_SAMPLES = timedelta(days=2)
MOST_KEYS_NOTIFIED = 3
"""People are notified of this many changed host keys of one machine, which can show a new one at each visit."""


def next_probe_run(contract: Contract, samples: Sequence[Sample], began: datetime, ends_at: datetime) -> datetime:
    """Return when a machine is visited again after a visit that began at `began`. `samples` are its newest
    samples, oldest first; the last one is from this visit.

    A visit comes at the latest when the machine is to start its on-ending.sh before `ends_at`, unless the machine
    refuses the login.
    """
    why = samples[-1].missed
    in_a_row = sum(1 for _ in takewhile(lambda sample: sample.missed is why, reversed(samples)))
    if why is Missed.REFUSED:
        return samples[-1].at + AFTER_REFUSED[min(in_a_row, len(AFTER_REFUSED)) - 1]
    unreachable = why is Missed.NO_ANSWER and in_a_row >= UNREACHABLE_AFTER
    usual = began + (WHILE_UNREACHABLE if unreachable else PROBE_EVERY[contract])
    starts_at = ends_at - STARTS_BEFORE
    return min(usual, starts_at) if began < starts_at else usual


def soonest_probe_run(last: Sample | None, now: datetime) -> datetime:
    """Return the earliest time of a visit that a click makes due: now, or once the first wait after a refused
    login is over. Otherwise clicks in a row would make OpenSSH block the bot's address. `last` is the machine's
    newest sample.
    """
    if last is None or last.missed is not Missed.REFUSED:
        return now
    return max(now, last.at + AFTER_REFUSED[0])


def asks_vendor(missed: Missed | None) -> bool:
    """Return whether the missed visit makes the bot ask the marketplace at once if the machine still exists. A
    refused login shows that a server runs there. `HOST_KEY_CHANGED` shows that the server may be another
    machine.
    """
    return missed in {Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED, Missed.UNREADABLE}


# --- when the marketplace is asked whether a ready machine still exists


CHECK_EVERY = timedelta(minutes=3)
SPOT_EVERY = timedelta(seconds=60)
"""A spot machine that no visit sees is checked this often, because a vendor can take it back at any time."""
LONGEST_PROBE_RUN = timedelta(seconds=15)
"""An answered visit shows that the machine exists until the next visit is over: after PROBE_EVERY and this."""


class Check(Frozen):
    """The next time that the marketplace is asked for a machine."""

    at: Instant
    live: bool
    """Whether to ask the vendor itself. The market's cache may show a machine that is gone."""


def next_check(read_at: datetime, contract: Contract, last: Sample | None, now: datetime) -> Check:
    """Return the next check of a machine that was last read at `read_at`. `last` is its newest sample.

    It is due at once after a missed visit. While visits are answered, only the cache is asked, for the price.
    """
    every = SPOT_EVERY if contract is Contract.SPOT else CHECK_EVERY
    if last is None or last.missed is Missed.REFUSED:
        return Check(at=read_at + every, live=True)
    if asks_vendor(last.missed):
        return Check(at=last.at if last.at > read_at else read_at + every, live=True)
    shown_until = last.at + PROBE_EVERY[contract] + LONGEST_PROBE_RUN
    at = min(read_at + CHECK_EVERY, max(read_at + every, shown_until))
    return Check(at=at, live=now >= shown_until)
