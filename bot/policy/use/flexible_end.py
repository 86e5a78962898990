"""Flexible ends: leases whose end moves to a later time while the machine is in use. No I/O.

A lease with a flexible end has an earliest end, `ends_at`. If the machine is in use at that time, `ends_at` is
postponed by an hour. This repeats until the machine is no longer in use, or until `latest_end`, the latest time at
which the lease can end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.model.base import changed
from bot.model.machine_use import Sample, UsageStatus, Use
from bot.model.rental import Lease
from bot.model.request import Request
from bot.policy.team.hours import morning_after
from bot.policy.team.rules import Rules
from bot.policy.use.usage_status import longest_gap

MOVES_BY = timedelta(hours=1)
WHILE_BUSY = timedelta(hours=2)
"""The length of a lease up to its earliest end, if a request names only the latest end."""
AFTER_NIGHT = timedelta(hours=2)
"""The time between the earliest and the latest end of a request to keep a machine through the night.

The earliest end of such a request is the morning.
"""
UNSEEN_NOTICE = timedelta(hours=1)
"""The time before a flexible end at which the owner is notified if the bot can't monitor the machine.

Without monitoring, the bot can't tell whether the machine is in use, so the end won't move.
"""


def first_end(request: Request, ready_at: datetime) -> datetime:
    """Return the earliest end of a lease whose machine becomes ready at `ready_at`.

    If the request names no end, the lease ends after its length, counted from `ready_at`. If the request names an
    end after `ready_at`, the lease ends then. If the named end has passed by `ready_at`, the lease ends MOVES_BY
    (one hour) after `ready_at`.
    """
    if request.until is None:
        return ready_at + request.lease
    return request.until if request.until > ready_at else ready_at + MOVES_BY


class NightEnd(NamedTuple):
    """The first night between the earliest and the latest end of a request with a flexible end."""

    morning: datetime
    """The end of the night."""
    more: timedelta
    """The time from the earliest end to the morning.

    If the owner chooses the morning as the earliest end, the machine runs at least this much longer.
    """
    is_asked_for: bool
    """True if the request already allows the machine to run until the morning."""


def night_end(
    request: Request, asked_at: datetime, now: datetime, zone: ZoneInfo, rules: Rules
) -> NightEnd | None:
    """Return the first night in which the lease can end if the machine is rented `now`.

    None if the requested end isn't flexible, or if no night lies between the earliest and the latest end.

    Args:
        asked_at: The time at which the request was made. The length of the lease is counted from this time.
        zone: The requester's time zone.
    """
    if request.up_to is None:
        return None
    first = request.until or now + request.lease
    last = request.last_end or now + request.up_to + rules.procure.provision_timeout
    morning = morning_after(first, last, zone, rules.hours)
    if morning is None:
        return None
    is_asked_for = morning <= last_moment(request, asked_at)
    return NightEnd(morning=morning, more=morning - first, is_asked_for=is_asked_for)


def last_moment(request: Request, asked_at: datetime) -> datetime:
    """Return the latest time at which the lease can end, according to a request made at `asked_at`.

    If the request names only a length, the machine is assumed to be ready at `asked_at`.
    """
    return request.last_end or asked_at + request.longest


def kept_until(request: Request, first: datetime, asked_at: datetime) -> Request:
    """Return a request with a different earliest end. The latest end doesn't change.

    Args:
        first: The new earliest end.
        asked_at: The time at which the request was made.
    """
    return changed(request, until=first, lease=first - asked_at, up_to=last_moment(request, asked_at) - asked_at)


def was_asked_for(request: Request, lease: Lease) -> bool:
    """Return whether the lease ends no later than the latest end that the request named.

    False if the requested end wasn't flexible.
    """
    if request.up_to is None:
        return False
    return lease.ends_at <= (request.last_end or lease.ready_at + request.up_to)


def can_move(lease: Lease) -> bool:
    """Return whether the end of a lease can still move because its machine is in use.

    False for a lease that is about to end because its jobs are done.
    """
    return not lease.ends_when_done and lease.latest_end is not None and lease.latest_end > lease.ends_at


def moved_end(lease: Lease, now: datetime) -> datetime | None:
    """Return the new end of a lease whose machine is in use when the lease ends.

    The end is postponed by one hour, or by several hours if it would otherwise not be after `now`. It never moves
    past `latest_end`. None if `latest_end` has passed already, or if the end isn't flexible.
    """
    if lease.latest_end is None or lease.latest_end <= now or lease.ends_when_done:
        return None
    steps = max((now - lease.ends_at) // MOVES_BY + 1, 1)
    return min(lease.ends_at + steps * MOVES_BY, lease.latest_end)


def later_end(lease: Lease, ends_at: datetime) -> datetime | None:
    """Return the `latest_end` of a lease after its earliest end is changed to `ends_at`.

    If `ends_at` is before the present `latest_end`, `latest_end` doesn't change. Otherwise, the end becomes fixed,
    and the result is None.
    """
    latest = lease.usual.latest_end
    return latest if latest is not None and latest > ends_at else None


def already_allowed(lease: Lease, ends_at: datetime) -> bool:
    """Return whether a lease can end at `ends_at` without another approval.

    A flexible end can move up to `latest_end` without another approval. While a machine is being destroyed
    gracefully, the lease can be extended up to the end that it had before the graceful destroy was chosen. This
    needs no approval either.
    """
    return ends_at <= lease.last_end


def seen_in_use(use: Use | None, samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether a machine is in use now, according to its usage status and its newest samples.

    Args:
        samples: The newest samples, oldest first.
    """
    return use is not None and use.status is UsageStatus.IN_USE and are_recent(samples, now)


def is_unseen(use: Use | None, samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether it is unclear to the bot if a machine is in use.

    In two cases, the bot will know soon, so the result is False. In the first case, the readings are good but
    don't yet cover enough time to call the machine idle. In the second case, the bot was down, but it knew the
    usage status before that.

    Args:
        samples: The newest samples, oldest first.
    """
    if use is None or use.status is not UsageStatus.UNKNOWN:
        return use is None
    return not (use.undecided and are_recent(samples, now))


def are_recent(samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether the newest sample is recent enough for a usage status to be valid `now`.

    If the last probe run is too long ago, nobody knows what has happened since. A failed probe run also leaves a
    sample, so it is treated like any other probe run here.
    """
    return bool(samples) and now - samples[-1].at <= longest_gap(samples)
