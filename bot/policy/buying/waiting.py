"""Rules of the waitlist: the terms and the order of its entries, and the times of market queries. No I/O.

A waitlist entry waits for an offer that matches its request, or for the start time of the request. When the wait
is over, the bot rents the machine or notifies the owner. If several requests need the same query to the market,
their entries share one search. The entries that have waited longest are served first.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import ConfigDict

from bot.model.attempt import Attempt
from bot.model.base import changed
from bot.model.money import cost_at_most, whole_cents_below
from bot.model.offer import Offer
from bot.model.quote import Quote, SharedSearch, WaitlistEntry
from bot.model.rental import Rental
from bot.model.request import OfferQuery, Request, Terms
from bot.model.state import UNBOUGHT, State
from bot.model.summary import Proposal, WaitingView
from bot.policy.buying.offers import NEEDS_NEW_QUOTE, Place, fits, place_of
from bot.policy.buying.spending import billed_span, may_substitute, needs_approver, propose
from bot.policy.team.hours import next_within
from bot.policy.team.rules import Rules
from bot.policy.use.leases import LEAST_TIME

LEAD = timedelta(minutes=10)
"""The time before a start time at which the market is first queried.

A machine takes a few minutes to get ready.
"""
SAY_BEFORE_START = timedelta(minutes=2)
"""The time before a start time at which the owner is notified that no offer matches."""
LONGEST_PAUSE = timedelta(minutes=10)
"""The longest time between two queries to the market while no offer matches, unless `waiting.every` is longer."""
SOLD_OUT_FOR = timedelta(minutes=5)
"""The time during which a waitlist entry doesn't try a place again after a failed attempt there.

A place is a vendor's region with a certain GPU. The market might list an offer for a while after it has been sold.
"""
PURCHASE_PAUSE = timedelta(minutes=1)
"""The shortest time between two purchases for one waitlist entry.

With each further failure at the same place, the pause doubles, up to LONGEST_PAUSE. A place is a vendor's region
with a certain GPU.
"""
ONCE_FOR = timedelta(minutes=10)
"""The time for which an entry with `once` waits for its only search, if the market doesn't answer."""
TRY_ONCE_AGAIN = timedelta(seconds=30)
"""The time after which the market is queried again for an entry with `once`, if it didn't answer."""
LATELY = timedelta(hours=3)
"""Failed purchases within this time affect when and where the next purchase is tried."""


# --- contents of a waitlist entry


def shared_query(request: Request) -> OfferQuery:
    """Return the query that the market receives for a waitlist entry.

    The query has no highest price, so that entries with different highest prices can share a search. The bot
    compares the prices itself.
    """
    return changed(request.query, max_gpu_rate=None)


def search_id(query: OfferQuery) -> str:
    """Return the ID of the search for a query. Equal queries have the same ID."""
    return hashlib.sha256(query.model_dump_json().encode()).hexdigest()[:32]


def typed_waitlist_entry(until: datetime | None, now: datetime, rules: Rules, *, any_time: bool) -> WaitlistEntry:
    """Return the waitlist entry for a command that was just typed, before its owner clicks anything.

    The entry expires at `until`, but no later than `waiting.longest` from now. An `until` in the past is ignored.
    """
    latest = now + rules.waiting.longest
    return WaitlistEntry(
        until=min(until, latest) if until is not None and until > now else latest, any_time=any_time
    )


def new_waitlist_entry(
    request: Request,
    typed: WaitlistEntry | None,
    now: datetime,
    rules: Rules,
    *,
    rents: bool,
    gpu: str | None = None,
) -> WaitlistEntry:
    """Return the waitlist entry for a request that starts to wait `now`.

    If the request has no start time, the entry expires at the earliest of three times: the time that its owner
    typed, `waiting.longest` from now, and LEAST_TIME before the end that the owner named for the machine.

    If the request has a start time, the entry expires LEAST_TIME before the end that the owner named. The bot then
    rents the machine even outside the owner's working hours, because the owner chose the start time.

    Args:
        typed: The waitlist entry that the owner's command contained. None if the command contained none.
        rents: True to rent a fitting offer at once, False to notify the owner.
        gpu: The canonical name of the GPU whose price the owner saw.
    """
    until = typed_waitlist_entry(typed.until if typed is not None else None, now, rules, any_time=False).until
    if request.last_end is not None:
        latest = request.last_end - LEAST_TIME
        until = latest if request.starts_at is not None else min(until, latest)
    any_time = request.starts_at is not None or (typed is not None and typed.any_time)
    return WaitlistEntry(until=until, since=now, rents=rents, any_time=any_time, gpu=gpu)


def waitlist_entry_for(waitlist_entry: WaitlistEntry, request: Request) -> WaitlistEntry:
    """Return a waitlist entry that expires early enough for its request.

    The owner might have chosen an earlier end for the machine. The entry is then shortened, so that it expires at
    least LEAST_TIME before the machine must end.
    """
    if request.last_end is None:
        return waitlist_entry
    return changed(waitlist_entry, until=min(waitlist_entry.until, request.last_end - LEAST_TIME))


def searched_again(waitlist_entry: WaitlistEntry, now: datetime) -> WaitlistEntry:
    """Return the waitlist entry of a program whose request was approved `now`.

    However long the decision took, there is time for another search. If a single search decides about the entry,
    the entry begins now, so that this search isn't the one before the decision.
    """
    since = now if waitlist_entry.once else waitlist_entry.since
    return changed(waitlist_entry, since=since, until=max(waitlist_entry.until, now + ONCE_FOR))


def ends_before_hours(waitlist_entry: WaitlistEntry, now: datetime, zone: ZoneInfo, rules: Rules) -> bool:
    """Return whether a waitlist entry would expire before the owner's next working hours begin.

    If so, the market would never be queried for the entry. The working hours are the policy's `hours`.

    Args:
        zone: The owner's time zone.
    """
    return not waitlist_entry.any_time and next_within(now, zone, rules.hours) >= waitlist_entry.until


class Ceiling(NamedTuple):
    """The highest price of an automatic rental."""

    proposal: Proposal
    gpu: str | None
    """The canonical name of the GPU whose price the owner saw.

    None if the owner saw no price. Any GPU that matches the request will then do.
    """


def ceiling(request: Request, offers: Sequence[Offer], rules: Rules) -> Ceiling | None:
    """Return the highest price of an automatic rental, and the terms for that price.

    If the request has a start time, the terms are those for the cheapest offer. If it has no start time, or if
    there are no offers, the highest price in the request is used. None if the request names no highest price.

    Args:
        offers: The offers that match the request now, cheapest first.
    """
    if request.starts_at is not None and offers:
        offer = offers[0]
        return Ceiling(propose(request, offer.gpu, offer.rate, rules), offer.gpu)
    if request.max_gpu_rate is None:
        return None
    max_rate = request.max_gpu_rate * request.count
    return Ceiling(terms_up_to(request, whole_cents_below(max_rate) or max_rate, rules), None)


def terms_up_to(request: Request, max_rate: Decimal, rules: Rules) -> Proposal:
    """Return the terms for renting any offer of up to `max_rate`, in USD per hour for the whole offer."""
    total = cost_at_most(max_rate, billed_span(request.longest, request.kept, rules))
    terms = Terms.of(request, request.gpu, price=max_rate, max_rate=max_rate, total=total)
    return Proposal(terms=terms, over=needs_approver(request.gpu, request.count, max_rate, total, rules))


def same_reason(one: str, other: str) -> bool:
    """Return whether the messages of two refusals are equal, apart from numbers."""
    return re.sub(r"[\d.,]+", "", one) == re.sub(r"[\d.,]+", "", other)


# --- whose turn it is


class Waiter(WaitingView):
    """A waitlist entry with everything that determines its turn. Its rental, if it has one, is `queued`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    zone: ZoneInfo
    """The owner's time zone."""
    attempts: tuple[Attempt, ...] = ()
    """The earlier attempts of the rental, oldest first."""
    told: bool = False
    """True if the owner has been notified that no offer matches at the start time."""


def still_waits(quote: Quote, rental: Rental | None) -> bool:
    """Return whether the owner of a quote is waiting for an offer now, or might have to wait later.

    A quote is a request with the offers that were found for it. If the quote's rental is waiting for an approval
    or is being bought, the owner might have to wait later. The quote must have a `waits_for`.
    """
    if quote.rental_id is None:
        return quote.waitlist_entry is not None and not quote.waitlist_entry.rents
    if rental is None or rental.state not in {*UNBOUGHT, State.PROCURING, State.PROVISIONING}:
        return False
    return rental.quote_id == quote.id and rental.waitlist_entry is not None


def first_look(request: Request, rules: Rules) -> datetime | None:
    """Return the time at which the market is first queried for a request with a start time.

    None if the request has no start time. Normally, the market is first queried LEAD before the start time. If the
    provisioning timeout is shorter than LEAD, the first query comes one provisioning timeout before the start
    time.

    The first query doesn't come earlier, because a machine costs money as soon as it is ready, even before the
    start time. The approved total covers this cost for at most one provisioning timeout.
    """
    if request.starts_at is None:
        return None
    return request.starts_at - min(LEAD, rules.procure.provision_timeout)


def next_question(search: SharedSearch, waiters: Iterable[Waiter], now: datetime, rules: Rules) -> datetime | None:
    """Return the time of the next query to the market, or None if nobody is waiting.

    This is the earliest time at which any of the waitlist entries needs a query. There is at least `waiting.every`
    between two queries.
    """
    waiting = (waiter for waiter in waiters if waiter.waitlist_entry.until > now)
    return min((_next_query(search, waiter, now, rules) for waiter in waiting), default=None)


def next_purchase(attempts: Sequence[Attempt], now: datetime) -> datetime:
    """Return the earliest time of the next purchase for a waitlist entry.

    Args:
        attempts: The failed attempts, oldest first.
    """
    lately = _lately(attempts, now)
    if not lately:
        return now
    repeats = len(lately) - len({place_of(attempt.called_offer) for attempt in lately})
    pause: timedelta = min(PURCHASE_PAUSE * 2 ** min(repeats, 16), LONGEST_PAUSE)
    return lately[-1].intended_at + pause


def _lately(attempts: Iterable[Attempt], now: datetime) -> list[Attempt]:
    return [attempt for attempt in attempts if now - attempt.intended_at < LATELY]


def _next_query(search: SharedSearch, waiter: Waiter, now: datetime, rules: Rules) -> datetime:
    every = rules.waiting.every
    first = first_look(waiter.request, rules)
    if first is not None:
        return max(first, now) if search.asked_at is None else max(first, search.asked_at + every)
    pause = min(every * 2 ** min(search.misses, 16), max(LONGEST_PAUSE, every))
    at = now if search.asked_at is None else max(search.asked_at + pause, now)
    if waiter.waitlist_entry.once:
        # A single search decides about this entry. Start it at once, even if the market has just been queried for
        # other entries. If the entry still waits after its search, the market didn't answer.
        asked_at, since = search.asked_at, waiter.since
        tried = asked_at is not None and (asked_at > since or (asked_at == since and search.misses > 0))
        at = max(asked_at + TRY_ONCE_AGAIN, now) if tried and asked_at is not None else now
    at = max(at, next_purchase(waiter.attempts, now))
    return at if waiter.waitlist_entry.any_time else next_within(at, waiter.zone, rules.hours)


def in_turn(waiters: Iterable[Waiter], now: datetime, rules: Rules) -> list[Waiter]:
    """Return the waitlist entries for which the bot wants offers now, oldest first.

    For each entry, the bot then rents an offer for the owner or notifies the owner of offers.
    """
    return sorted(
        (waiter for waiter in waiters if waiter.waitlist_entry.until > now and _has_begun(waiter, now, rules)),
        key=lambda waiter: (waiter.since, waiter.quote.id),
    )


def _has_begun(waiter: Waiter, now: datetime, rules: Rules) -> bool:
    first = first_look(waiter.request, rules)
    if first is not None:
        return first <= now
    return waiter.waitlist_entry.any_time or next_within(now, waiter.zone, rules.hours) <= now


class Rent(NamedTuple):
    """Rent this offer for the owner of the waitlist entry."""

    offer: Offer


class Tell(NamedTuple):
    """Notify the owner of the waitlist entry about these offers, which match the request."""

    offers: tuple[Offer, ...]


class SayNothingFits(NamedTuple):
    """Notify the owner of the waitlist entry that no offer matches at the start time."""

    cheapest: Offer | None
    """The cheapest offer above the price that the owner allowed. None if no offer is above this price."""


Turn: TypeAlias = Rent | Tell | SayNothingFits


def turn(waiter: Waiter, offers: Sequence[Offer], now: datetime, rules: Rules) -> Turn | None:
    """Return the action to take now for a waitlist entry, or None if there is nothing to do.

    Args:
        offers: The offers that remain after earlier waitlist entries were served, cheapest first.
    """
    waitlist_entry, rental = waiter.waitlist_entry, waiter.rental
    if rental is None:
        fitting = tuple(offer for offer in offers if fits(offer, waiter.request))
        return Tell(fitting) if fitting else None
    at_any_price = changed(waiter.request, max_gpu_rate=None)
    listed = tuple(offer for offer in offers if fits(offer, at_any_price))
    sold_out = sold_out_places(waiter.attempts, now)
    called = {attempt.called_offer.offer_id for attempt in waiter.attempts}
    allowed = [
        offer
        for offer in listed
        if offer.rate <= rental.terms.max_rate
        and (waitlist_entry.gpu is None or may_substitute(offer.gpu, waitlist_entry.gpu, rules))
        and place_of(offer) not in sold_out
        and offer.offer_id not in called
    ]
    if allowed:
        best = fewest_failures(allowed, waiter.attempts, now)
        return Rent(best) if next_purchase(waiter.attempts, now) <= now else None
    starts_at = waiter.request.starts_at
    if starts_at is None or waiter.told or now < starts_at - SAY_BEFORE_START:
        return None
    dearer = (offer for offer in listed if offer.rate > rental.terms.max_rate)
    return SayNothingFits(next(dearer, None))


def fewest_failures(offers: Iterable[Offer], attempts: Iterable[Attempt], now: datetime) -> Offer:
    """Return the first of the offers from those places where purchases have failed least often lately."""
    # Ignore the first failure at a place, because the price may just have expired. Count the later ones: a cheap
    # place that keeps failing would otherwise be tried forever, and more expensive places would never be tried.
    failures = Counter(place_of(attempt.called_offer) for attempt in _lately(attempts, now))
    return min(offers, key=lambda offer: max(failures[place_of(offer)] - 1, 0))


def sold_out_places(attempts: Iterable[Attempt], now: datetime) -> set[Place]:
    """Return the places where an attempt failed less than SOLD_OUT_FOR ago.

    A place is a vendor's region with a certain GPU.
    """
    return {
        place_of(attempt.called_offer)
        for attempt in attempts
        if attempt.why not in NEEDS_NEW_QUOTE and now - attempt.intended_at < SOLD_OUT_FOR
    }
