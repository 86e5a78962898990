"""Decides when to probe a ready machine, and when to check with the marketplace that the machine still exists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from bot.model.base import Frozen, Instant
from bot.model.machine_use import Missed, Sample
from bot.model.request import Contract
from bot.policy.use.on_ending import STARTS_BEFORE

PROBE_EVERY = {Contract.ONDEMAND: timedelta(minutes=2), Contract.SPOT: timedelta(minutes=1)}
"""The time from the start of one probe run to the start of the next, for each kind of contract."""
WHILE_AWAITED = timedelta(seconds=30)
"""The time between probe runs while the machine's `on-ending.sh` delays the destruction of the machine.

It is short because the machine costs money until a probe run sees that the script is done.
"""
AFTER_REFUSED = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
"""The waits after refused logins: after the first in a row, the second, the third, and all later ones.

Probing never stops, because the owner can still install the probe by hand.

OpenSSH 9.8 and later gives a client's address a penalty of 5 s for a failed login, and blocks it at 15 s. With
these waits, each penalty expires long before the next login (PerSourcePenalties in sshd_config(5)).
"""
UNREACHABLE_AFTER = 3
"""The number of consecutive probe runs without an answer after which a machine is probed less often.

Its usage status is then *unknown*. The time between probe runs is WHILE_UNREACHABLE.
"""
WHILE_UNREACHABLE = timedelta(minutes=5)
"""The time between probe runs of an unreachable machine.

It must be shorter than `usage_status.LONGEST_GAP`. Otherwise, these probe runs could never lead to a usage status.
"""
KEEP_SAMPLES = timedelta(days=2)
MOST_KEYS_NOTIFIED = 3
"""The maximum number of notifications about changed host keys for one machine.

The limit exists because a hostile machine can present a new key in every probe run.
"""


def next_probe_run(contract: Contract, samples: Sequence[Sample], began: datetime, ends_at: datetime) -> datetime:
    """Return the start of the next probe run, after one that began at `began`.

    If the machine should start its `on-ending.sh` before the next regular probe run, the next probe run comes at
    that moment. This doesn't apply to a machine that refuses the login, because no probe run could start the
    script there.

    Args:
        samples: The machine's newest samples, oldest first. The last one is from the probe run that began at
            `began`.
        ends_at: The end of the lease.
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
    """Return the earliest time for a probe run that a person requests with a click.

    Usually that is now. After a refused login, the first wait in AFTER_REFUSED must have passed. Without this
    wait, repeated clicks could make OpenSSH block the bot's address.

    Args:
        last: The machine's newest sample. None if it has not been probed yet.
    """
    if last is None or last.missed is not Missed.REFUSED:
        return now
    return max(now, last.at + AFTER_REFUSED[0])


def asks_vendor(missed: Missed | None) -> bool:
    """Return whether a failed probe run is a reason to check at once that the machine still exists.

    A refused login is no reason, because it shows that an SSH server is still running. A changed host key is a
    reason, because the server might belong to a different machine.
    """
    return missed in {Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED, Missed.UNREADABLE}


# --- checks with the market that a ready machine still exists


CHECK_EVERY = timedelta(minutes=3)
SPOT_EVERY = timedelta(seconds=60)
"""The time between two checks that a spot machine still exists, if it can't be probed.

It is short because a vendor can reclaim a spot machine at any time.
"""
LONGEST_PROBE_RUN = timedelta(seconds=15)
"""The longest time that a probe run is assumed to take.

After a successful probe run, the machine is assumed to exist until the next probe run should have finished: for
PROBE_EVERY plus this time.
"""


class Check(Frozen):
    """The time at which to ask the marketplace next whether a machine still exists."""

    at: Instant
    live: bool
    """True to bypass the marketplace's cache, which can still show a machine that has been terminated."""


def next_check(read_at: datetime, contract: Contract, last: Sample | None, now: datetime) -> Check:
    """Return the time at which to ask the marketplace next whether a machine still exists.

    After a failed probe run, the check is due at once. A successful probe run shows that the machine exists. The
    next check is then only needed to learn the current price, for which the marketplace's cache is sufficient.

    Args:
        read_at: The time of the last check.
        last: The machine's newest sample. None if it has not been probed.
    """
    every = SPOT_EVERY if contract is Contract.SPOT else CHECK_EVERY
    if last is None or last.missed is Missed.REFUSED:
        return Check(at=read_at + every, live=True)
    if asks_vendor(last.missed):
        return Check(at=last.at if last.at > read_at else read_at + every, live=True)
    shown_until = last.at + PROBE_EVERY[contract] + LONGEST_PROBE_RUN
    at = min(read_at + CHECK_EVERY, max(read_at + every, shown_until))
    return Check(at=at, live=now >= shown_until)
