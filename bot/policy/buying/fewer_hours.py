"""Approving fewer hours than were asked for: the lengths to choose from, and what is allowed for each. Pure.

An approver may only shorten what waits: the offer, its price and the highest price stay. Of two ends, the later
one is shortened, never to before the first one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import TooLate
from bot.model.base import Frozen, Instant, changed
from bot.model.money import Micros, cost_at_most
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.policy.buying.spending import billed_span, propose_longer_lease
from bot.policy.team.rules import Rules
from bot.policy.use.leases import LEAST_TIME

HOURS = (48, 24, 12, 8, 4, 2, 1)
"""The lengths to choose from, as far as they are shorter than what was asked for."""


class FewerHours(Frozen):
    """A shorter lease than the one that was asked for."""

    length: timedelta
    """How long: from ready, from now until an end that was named, or the time that an extension adds."""
    asked: timedelta
    """The length that was asked for, counted in the same way."""
    request: Request
    terms: Terms
    """What is allowed then. It has the version of the envelope that waits."""
    ends_at: Instant | None = None
    """The new end of an extension. None for a request."""


def lengths_to_choose(rental: Rental, now: datetime) -> tuple[timedelta, ...]:
    """Return the lengths for which an approver may approve what waits, the longest first. Return none if nothing
    waits for an approver, or if it is too short.
    """
    if rental.undecided_terms is None or rental.owner_decides:
        return ()
    asked, least = asked_length(rental, now), _least(rental, now)
    hours = {timedelta(hours=n) for n in HOURS}
    if rental.extension is None and rental.request.up_to is not None:
        hours.add(least)
    return tuple(sorted((one for one in hours if least <= one < asked), reverse=True))


def asked_length(rental: Rental, now: datetime) -> timedelta:
    """Return the length that was asked for, as `FewerHours.length` counts it."""
    request = rental.request
    if rental.extension is not None:
        return rental.extension.ends_at - max(rental.running_lease.ends_at, now)
    return request.longest if request.last_end is None else request.last_end - _begins(request, now)


def _begins(request: Request, now: datetime) -> datetime:
    """Return from when the hours of a request count."""
    return now if request.starts_at is None else max(request.starts_at, now)


def _least(rental: Rental, now: datetime) -> timedelta:
    """Return the shortest length that an approver may choose: up to the first of two ends. With an extension, at
    least one second more than the later end, which needs no approval.
    """
    request, shortest = rental.request, timedelta(seconds=1)
    if rental.extension is not None:
        lease = rental.running_lease
        return (max(lease.latest_end or lease.ends_at, now) - max(lease.ends_at, now)) + shortest
    if request.until is not None:
        shortest = LEAST_TIME
    if request.up_to is None:
        return shortest
    first = request.lease if request.until is None else request.until - _begins(request, now)
    # A dialog shows whole minutes.
    return max(first - first % timedelta(minutes=1), shortest)


def shortened(rental: Rental, length: timedelta, *, spent: Micros, now: datetime, rules: Rules) -> FewerHours:
    """Return what is allowed if what waits is approved for this length. `spent` is the most that the rental has
    cost by now. Raise TooLate if the length is not, or no longer, shorter than what waits.
    """
    asked, terms = asked_length(rental, now), rental.newest_terms
    if not _least(rental, now) <= length < asked:
        words = f"{rental.id} can't be approved for that long. Nothing was approved."
        raise TooLate(words, rental.id)
    request = rental.request
    ends_at: datetime | None = None
    if rental.extension is None:
        request = _shorter_request(request, length, now)
        lease, price = request.longest, terms.price
        total = spent + cost_at_most(terms.max_rate, billed_span(lease, rules))
    else:
        ends_at = max(rental.running_lease.ends_at, now) + length
        proposed = propose_longer_lease(rental, ends_at, spent=spent, now=now, rules=rules).terms
        lease, price, total = proposed.lease, proposed.price, proposed.total
    return FewerHours(
        length=length,
        asked=asked,
        request=request,
        terms=changed(terms, lease=lease, price=price, total=min(total, terms.total)),
        ends_at=ends_at,
    )


def _shorter_request(request: Request, length: timedelta, now: datetime) -> Request:
    if request.until is None:
        if request.up_to is None:
            return changed(request, lease=length)
        return changed(request, up_to=length if length > request.lease else None)
    last = _begins(request, now) + length
    if request.up_to is None:
        return changed(request, until=last, lease=length)
    more = last - request.until
    return changed(request, up_to=request.lease + more if more > timedelta(0) else None)
