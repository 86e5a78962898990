"""Approving fewer hours than were requested: the lengths to choose from, and the resulting terms. No I/O.

An approver can only shorten the request or extension that is waiting for a decision. The offer, its price and the
highest price don't change. If the end is flexible, only the latest time at which the lease can end becomes
earlier. It never comes before the earliest end.
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
from bot.policy.use.keeping import shorter
from bot.policy.use.leases import LEAST_TIME

HOURS = (48, 24, 12, 8, 4, 2, 1)
"""The lengths to choose from, in hours. Only those shorter than the requested length are shown."""


class FewerHours(Frozen):
    """A shorter lease than the one that was requested."""

    length: timedelta
    """The approved length.

    For an extension, this is the time that the extension adds. For a request, the length is normally counted from
    the moment at which the machine is ready. If the requester named an end, the length is counted from the start
    time. If the request has no start time, or if the start time has passed, the length is counted from now.
    """
    asked: timedelta
    """The requested length, counted in the same way as `length`."""
    request: Request
    terms: Terms
    """The approved terms. Their version is that of the terms that are waiting for a decision."""
    ends_at: Instant | None = None
    """The new end if this is an extension. None for a request."""


def lengths_to_choose(rental: Rental, now: datetime) -> tuple[timedelta, ...]:
    """Return the shorter lengths that an approver can choose, longest first.

    Empty if nothing is waiting for an approver, or if the requested length is too short to be reduced.
    """
    if rental.undecided_terms is None or rental.owner_decides:
        return ()
    asked, least = asked_length(rental, now), _least(rental, now)
    hours = {timedelta(hours=n) for n in HOURS}
    if rental.extension is None and rental.request.up_to is not None:
        hours.add(least)
    return tuple(sorted((one for one in hours if least <= one < asked), reverse=True))


def asked_length(rental: Rental, now: datetime) -> timedelta:
    """Return the requested length of a lease, or the time that a requested extension adds.

    The length is counted in the same way as `FewerHours.length`.
    """
    request = rental.request
    if rental.extension is not None:
        return rental.extension.ends_at - max(rental.running_lease.ends_at, now)
    return request.longest if request.last_end is None else request.last_end - _begins(request, now)


def _begins(request: Request, now: datetime) -> datetime:
    return now if request.starts_at is None else max(request.starts_at, now)


def _least(rental: Rental, now: datetime) -> timedelta:
    """Return the shortest length that an approver can choose.

    If the end is flexible, an approver can't choose a time before the earliest end. An extension must go beyond
    the latest end of the lease, because the owner can extend the lease up to there without an approval.
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
    # Round the length down to whole minutes. The approver chooses a length in a dialog that shows no seconds, so a
    # length with seconds couldn't be chosen.
    return max(first - first % timedelta(minutes=1), shortest)


def shortened(rental: Rental, length: timedelta, *, spent: Micros, now: datetime, rules: Rules) -> FewerHours:
    """Return the shorter lease that results if an approver chooses this length.

    Args:
        spent: The highest possible cost of the rental so far.

    Raises:
        TooLate: The length is too short, or it isn't shorter than the requested length any more.
    """
    asked, terms = asked_length(rental, now), rental.newest_terms
    if not _least(rental, now) <= length < asked:
        message = f"{rental.id} can't be approved for that long. Nothing was approved."
        raise TooLate(message, rental.id)
    request = rental.request
    ends_at: datetime | None = None
    if rental.extension is None:
        request = _shorter_request(request, length, now)
        lease, kept, price = request.longest, request.kept, terms.price
        total = spent + cost_at_most(terms.max_rate, billed_span(lease, request.kept, rules))
    else:
        ends_at = max(rental.running_lease.ends_at, now) + length
        # If the owner's script fails at the end, the machine is kept until a certain time. A shorter lease doesn't
        # change this time. So the machine can be kept longer, by as much as the lease becomes shorter.
        kept = terms.kept + (rental.extension.ends_at - ends_at) if terms.kept else terms.kept
        proposed = propose_longer_lease(rental, ends_at, kept=kept, spent=spent, now=now, rules=rules).terms
        lease, price, total = proposed.lease, proposed.price, proposed.total
    return FewerHours(
        length=length,
        asked=asked,
        request=request,
        terms=changed(terms, lease=lease, kept=kept, price=price, total=min(total, terms.total)),
        ends_at=ends_at,
    )


def _shorter_request(request: Request, length: timedelta, now: datetime) -> Request:
    if request.until is None:
        if request.up_to is None:
            return shorter(request, lease=length)
        return shorter(request, up_to=length if length > request.lease else None)
    last = _begins(request, now) + length
    if request.up_to is None:
        return shorter(request, until=last, lease=length)
    more = last - request.until
    return shorter(request, up_to=request.lease + more if more > timedelta(0) else None)
