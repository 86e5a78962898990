"""Keeping a machine past its end because its owner's `/root/on-ending.sh` failed. No I/O.

If the script fails before the end of a lease, the results are probably not saved. If the request or the policy
says so, the machine then keeps running until its owner's next working hours begin, so that the owner can look. The
approved terms include the cost of this time.

The machine is kept once for each end that somebody chose. If the script fails again before the end of the time for
which the machine is kept, the machine is destroyed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from bot.model.base import changed
from bot.model.rental import Lease, Rental
from bot.model.request import Request
from bot.policy.team.hours import next_start
from bot.policy.team.rules import Rules, WhenFailed
from bot.policy.use.probing import wants_probe

LEAST_KEPT = timedelta(hours=1)
"""The shortest time for which a machine is kept.

If the owner's next working hours begin sooner than that, the owner would have no time to look. The machine is then
kept until their working hours on a later day.
"""
_WEEK = timedelta(days=7)
_NOT_KEPT = timedelta(0)


def is_kept(request: Request, rules: Rules) -> bool:
    """Return whether a machine for this request is kept if its `/root/on-ending.sh` fails.

    Without a probe, nobody would see that the script failed, so the machine isn't kept.
    """
    asked = request.keep_if_failed or rules.on_ending.failed is WhenFailed.KEEP
    return asked and wants_probe(request, rules)


def kept_for(ends_at: datetime, zone: ZoneInfo, rules: Rules) -> timedelta:
    """Return the time for which a machine is kept if its `/root/on-ending.sh` fails before the lease ends.

    Args:
        ends_at: The end of the lease.
        zone: The owner's time zone.
        rules: The rules with the working hours.
    """
    return next_start(ends_at + LEAST_KEPT, zone, rules.hours) - ends_at


def with_kept(
    request: Request, now: datetime, zone: ZoneInfo, rules: Rules, *, begins_later: bool = False
) -> Request:
    """Return a request with `kept`, the time for which its machine is kept if its `/root/on-ending.sh` fails.

    This time depends on the end of the lease, which is only known once the machine is ready. This function assumes
    that the machine is ready as late as possible. If the owner's working hours turn out to begin even later, the
    machine is kept for as long as the approved total pays.

    Call this whenever the length of a request might have changed, before `with_price_of_total`.

    Args:
        request: The request.
        now: The current time.
        zone: The requester's time zone.
        rules: The rules, with the provisioning timeout and the working hours.
        begins_later: True if the machine is rented at an unknown later time. Unless the request names its end, the
            longest possible time is then used.
    """
    if not is_kept(request, rules):
        return changed(request, kept=_NOT_KEPT) if request.kept else request
    if begins_later and request.last_end is None:
        return changed(request, kept=_longest(now, zone, rules))
    last = request.last_end or now + request.longest + rules.procure.provision_timeout
    return changed(request, kept=kept_for(last, zone, rules))


def _longest(now: datetime, zone: ZoneInfo, rules: Rules) -> timedelta:
    """Return the longest time for which a machine can be kept, whenever its lease ends."""
    starts = [next_start(now, zone, rules.hours)]
    while starts[-1] - starts[0] < _WEEK:
        starts.append(next_start(starts[-1] + timedelta(minutes=1), zone, rules.hours))
    return max(later - start for start, later in pairwise(starts)) + LEAST_KEPT


def shorter(request: Request, **fields: Any) -> Request:
    """Return a copy of a request with a shorter length.

    If the request lets the machine be kept after a failure of its `/root/on-ending.sh`, `kept` grows by as much as
    the length shrinks.
    """
    found = changed(request, **fields)
    return changed(found, kept=request.kept + (request.longest - found.longest)) if request.kept else found


def kept_for_longer_lease(rental: Rental, ends_at: datetime, zone: ZoneInfo, rules: Rules) -> timedelta:
    """Return the time for which a running machine is kept if its lease is extended to `ends_at`.

    Zero if the machine has no `/root/on-ending.sh`, or if it is destroyed even after this script fails.
    """
    kept = is_kept(rental.request, rules) and rental.on_ending is not None
    return kept_for(ends_at, zone, rules) if kept else _NOT_KEPT


def kept_until(lease: Lease, now: datetime, zone: ZoneInfo, rules: Rules) -> datetime | None:
    """Return the time until which a machine is kept after the failure of its `/root/on-ending.sh`.

    This is never later than `lease.kept_until`, because the approved terms don't pay for more. None if the machine
    isn't kept. A machine that is being destroyed gracefully isn't kept, because a person has decided to destroy
    it.
    """
    if lease.kept_until is None or lease.graceful_destroy is not None:
        return None
    until = min(lease.ends_at + kept_for(lease.ends_at, zone, rules), lease.kept_until)
    return until if until > max(lease.ends_at, now) else None
