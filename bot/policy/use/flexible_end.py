"""Two ends: when the end of a lease moves on because its machine is in use. Pure.

The lease ends at `ends_at`. If the machine is in use then, the end moves on by MOVES_BY, never past `latest_end`.
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
"""The first end of a request that names only the later end."""
AFTER_NIGHT = timedelta(hours=2)
"""How long after the morning the later end of a request for a night comes."""
UNSEEN_NOTICE = timedelta(hours=1)
"""How long before an end that could move the owner is notified that nobody sees whether the machine is in use."""


def first_end(request: Request, ready_at: datetime) -> datetime:
    """Return the first of two ends of a machine that is ready at `ready_at`. If the end that its owner named has
    passed by then, return an hour after ready.
    """
    if request.until is None:
        return ready_at + request.lease
    return request.until if request.until > ready_at else ready_at + MOVES_BY


class NightEnd(NamedTuple):
    """The first night in which a machine may end."""

    morning: datetime
    """When the night is over."""
    more: timedelta
    """How much longer the machine runs at most if it is kept until the morning."""
    is_asked_for: bool
    """Whether the morning is not after the later end that was asked for."""


def night_end(
    request: Request, asked_at: datetime, now: datetime, zone: ZoneInfo, rules: Rules
) -> NightEnd | None:
    """Return the first night in which a machine that is rented `now` may end. Return None if the request has one
    end, or if no end can come at night. `asked_at` is when the hours of the request were counted.
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
    """Return the last end of a request that was made at `asked_at`, as if its machine were ready then."""
    return request.last_end or asked_at + request.longest


def kept_until(request: Request, first: datetime, asked_at: datetime) -> Request:
    """Return a request that was made at `asked_at`, with another first end and the same last end."""
    return changed(request, until=first, lease=first - asked_at, up_to=last_moment(request, asked_at) - asked_at)


def was_asked_for(request: Request, lease: Lease) -> bool:
    """Return whether a lease ends within the later of the two ends of its request, so without an extension."""
    if request.up_to is None:
        return False
    return lease.ends_at <= (request.last_end or lease.ready_at + request.up_to)


def can_move(lease: Lease) -> bool:
    """Return whether the end of a lease moves on if its machine is in use then."""
    return lease.latest_end is not None and lease.latest_end > lease.ends_at


def moved_end(lease: Lease, now: datetime) -> datetime | None:
    """Return the next end of a lease whose machine is in use now: the first one after `now`, at most the latest
    end. Return None if there is none after `now`.
    """
    if lease.latest_end is None or lease.latest_end <= now:
        return None
    steps = max((now - lease.ends_at) // MOVES_BY + 1, 1)
    return min(lease.ends_at + steps * MOVES_BY, lease.latest_end)


def later_end(lease: Lease, ends_at: datetime) -> datetime | None:
    """Return the latest end of a lease whose end becomes `ends_at`. Return None if the lease then has one end."""
    latest = (lease.graceful_destroy or lease).latest_end
    return latest if latest is not None and latest > ends_at else None


def already_allowed(lease: Lease, ends_at: datetime) -> bool:
    """Return whether an end is within the later of two ends, which the lease's envelope holds, or within the end
    before somebody destroyed the machine after its script.
    """
    has_later = lease.graceful_destroy is not None or lease.latest_end is not None
    return has_later and ends_at <= lease.last_end


def seen_in_use(use: Use | None, samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether a machine is in use now, by its verdict and its last visits, oldest first."""
    return use is not None and use.status is UsageStatus.IN_USE and are_recent(samples, now)


def is_unseen(use: Use | None, samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether nobody can see if a machine is in use. Return False for a machine that is seen and has not
    rested long enough to be idle, and for one whose use was known until the bot was down.
    """
    if use is None or use.status is not UsageStatus.UNKNOWN:
        return use is None
    return not (use.undecided and are_recent(samples, now))


def are_recent(samples: Sequence[Sample], now: datetime) -> bool:
    """Return whether these samples reach so close to `now` that a verdict from them still holds: what happens in a
    longer gap between visits is unknown. Missed visits count, since no verdict changes while most visits fail.
    """
    return bool(samples) and now - samples[-1].at <= longest_gap(samples)
