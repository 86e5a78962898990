"""Waiting for an offer, without I/O: what a wish allows, whose turn it is, and when the market is asked.

Wishes whose requests have the same query share one search. Those who waited first are served first.
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
from bot.model.gpu import fits_model
from bot.model.money import cost_at_most, whole_cents_below
from bot.model.offer import Offer
from bot.model.quote import Quote, SharedSearch, WaitlistEntry
from bot.model.rental import Rental
from bot.model.request import OfferQuery, Request, Terms
from bot.model.state import UNBOUGHT, State
from bot.model.summary import Proposal, WaitingView
from bot.policy.buying.offers import NEEDS_NEW_QUOTE, Place, fits, place_of
from bot.policy.buying.spending import billed_span, over_limits, propose
from bot.policy.team.hours import next_within
from bot.policy.team.rules import Rules
from bot.policy.use.leases import LEAST_TIME

LEAD = timedelta(minutes=10)
"""How long before a start time the market is first asked: a machine needs some minutes to get ready."""
SAY_BEFORE_START = timedelta(minutes=2)
"""How long before its start the owner is told that nothing fits."""
LONGEST_PAUSE = timedelta(minutes=10)
"""The longest time between two questions to the market while nothing fits, unless `waiting.every` is longer."""
SOLD_OUT_FOR = timedelta(minutes=5)
"""A place that sold nothing is not tried again for a wish for this long: the market may list an offer for a while
after it is sold."""
PURCHASE_PAUSE = timedelta(minutes=1)
"""The least time between two purchases for the same wish. It doubles, up to LONGEST_PAUSE, with each purchase that
fails at a place where one had failed already."""
LATELY = timedelta(hours=3)
"""A failed purchase counts for this long, both towards the pause and when the next place is chosen."""


# --- what a wish allows


def shared_query(request: Request) -> OfferQuery:
    """Return what the market is asked for a wish. Prices are compared here, so that more wishes share a search."""
    return changed(request.query, max_gpu_rate=None)


def search_id(query: OfferQuery) -> str:
    """Return the id of the search for a query: equal queries have the same one."""
    return hashlib.sha256(query.model_dump_json().encode()).hexdigest()[:32]


def typed_waitlist_entry(until: datetime | None, now: datetime, rules: Rules, *, any_time: bool) -> WaitlistEntry:
    """Return a wish as it was typed, of which nothing was clicked yet. It ends after `waiting.longest`, or at
    `until`, if that comes first and has not passed.
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
    """Return the wish for a request that begins to wait `now`. It ends as its owner `typed`, or after
    `waiting.longest`, and LEAST_TIME before the last end that the request names. A start time was named on
    purpose, so its machine is rented at any time of the day.
    """
    until = typed_waitlist_entry(typed.until if typed is not None else None, now, rules, any_time=False).until
    if request.last_end is not None:
        latest = request.last_end - LEAST_TIME
        until = latest if request.starts_at is not None else min(until, latest)
    any_time = request.starts_at is not None or (typed is not None and typed.any_time)
    return WaitlistEntry(until=until, since=now, rents=rents, any_time=any_time, gpu=gpu)


def waitlist_entry_for(waitlist_entry: WaitlistEntry, request: Request) -> WaitlistEntry:
    """Return a wish that ends in time for the last end of a request, which may be sooner than before."""
    if request.last_end is None:
        return waitlist_entry
    return changed(waitlist_entry, until=min(waitlist_entry.until, request.last_end - LEAST_TIME))


def ends_before_hours(waitlist_entry: WaitlistEntry, now: datetime, zone: ZoneInfo, rules: Rules) -> bool:
    """Return whether a wish ends before its owner's hours begin in `zone`, so that nothing would be looked for."""
    return not waitlist_entry.any_time and next_within(now, zone, rules.hours) >= waitlist_entry.until


class Ceiling(NamedTuple):
    """The highest price of an automatic rent."""

    proposal: Proposal
    gpu: str | None
    """The model whose price its owner saw. None if the request's words decide."""


def ceiling(request: Request, offers: Sequence[Offer], rules: Rules) -> Ceiling | None:
    """Return what an automatic rent would allow, with the request's highest price. With a start time, the price of
    the first of the `offers`, the cheapest, counts as if it was clicked. Return None if there is neither.
    """
    if request.starts_at is not None and offers:
        offer = offers[0]
        return Ceiling(propose(request, offer.gpu, offer.rate, rules), offer.gpu)
    if request.max_gpu_rate is None:
        return None
    max_rate = request.max_gpu_rate * request.count
    return Ceiling(_at_most(request, whole_cents_below(max_rate) or max_rate, rules), None)


def _at_most(request: Request, max_rate: Decimal, rules: Rules) -> Proposal:
    total = cost_at_most(max_rate, billed_span(request.longest, rules))
    terms = Terms.of(request, request.gpu, price=max_rate, max_rate=max_rate, total=total)
    return Proposal(terms=terms, over=over_limits(max_rate, total, rules))


def same_reason(one: str, other: str) -> bool:
    """Return whether two refusals are for the same reason: their words are the same but for numbers."""
    return re.sub(r"[\d.,]+", "", one) == re.sub(r"[\d.,]+", "", other)


# --- whose turn it is


class Waiter(WaitingView):
    """A wish that waits, with what its turn depends on. Its rental, if it has one, is `queued`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    zone: ZoneInfo
    """The owner's time zone."""
    attempts: tuple[Attempt, ...] = ()
    """What was tried for the rental earlier."""
    told: bool = False
    """Whether its owner knows that nothing fits at the start time."""


def still_waits(quote: Quote, rental: Rental | None) -> bool:
    """Return whether a quote with `waits_for` waits for an offer, or may do so again: its rental waits for an
    approval, or is being bought.
    """
    if quote.rental_id is None:
        return quote.waitlist_entry is not None and not quote.waitlist_entry.rents
    if rental is None or rental.state not in {*UNBOUGHT, State.PROCURING, State.PROVISIONING}:
        return False
    return rental.quote_id == quote.id and rental.waitlist_entry is not None


def first_look(request: Request, rules: Rules) -> datetime | None:
    """Return when the market is first asked for a start time. Return None if the request has none. A machine that
    comes as early as that must be paid by the time that the total has for getting ready.
    """
    if request.starts_at is None:
        return None
    return request.starts_at - min(LEAD, rules.procure.provision_timeout)


def next_question(search: SharedSearch, waiters: Iterable[Waiter], now: datetime, rules: Rules) -> datetime | None:
    """Return when the market is asked next: at the first time at which one of the wishes may have its turn, and at
    most every `waiting.every`. Return None if nobody waits.
    """
    waiting = (waiter for waiter in waiters if waiter.waitlist_entry.until > now)
    return min((_next_question(search, waiter, now, rules) for waiter in waiting), default=None)


def next_purchase(attempts: Sequence[Attempt], now: datetime) -> datetime:
    """Return the earliest time of the next purchase for a wish, given its failed ones, oldest first."""
    lately = _lately(attempts, now)
    if not lately:
        return now
    repeats = len(lately) - len({place_of(attempt.called_offer) for attempt in lately})
    pause: timedelta = min(PURCHASE_PAUSE * 2 ** min(repeats, 16), LONGEST_PAUSE)
    return lately[-1].intended_at + pause


def _lately(attempts: Iterable[Attempt], now: datetime) -> list[Attempt]:
    return [attempt for attempt in attempts if now - attempt.intended_at < LATELY]


def _next_question(search: SharedSearch, waiter: Waiter, now: datetime, rules: Rules) -> datetime:
    every = rules.waiting.every
    first = first_look(waiter.request, rules)
    if first is not None:
        return max(first, now) if search.asked_at is None else max(first, search.asked_at + every)
    pause = min(every * 2 ** min(search.misses, 16), max(LONGEST_PAUSE, every))
    at = now if search.asked_at is None else max(search.asked_at + pause, now)
    at = max(at, next_purchase(waiter.attempts, now))
    return at if waiter.waitlist_entry.any_time else next_within(at, waiter.zone, rules.hours)


def in_turn(waiters: Iterable[Waiter], now: datetime, rules: Rules) -> list[Waiter]:
    """Return the wishes whose turn it may be now, in the order in which they began to wait."""
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
    """Rent this offer for the wish."""

    offer: Offer


class Tell(NamedTuple):
    """Tell the wish's owner of these offers."""

    offers: tuple[Offer, ...]


class SayNothingFits(NamedTuple):
    """Tell the wish's owner that nothing fits at the start time."""

    cheapest: Offer | None
    """The cheapest offer outside of what the owner allowed."""


Turn: TypeAlias = Rent | Tell | SayNothingFits


def turn(waiter: Waiter, offers: Sequence[Offer], now: datetime) -> Turn | None:
    """Return what is done for a wish, with the offers that those before it left, cheapest first. Return None if
    nothing is.
    """
    waitlist_entry, rental = waiter.waitlist_entry, waiter.rental
    if rental is None:
        fitting = tuple(offer for offer in offers if fits(offer, waiter.request))
        return Tell(fitting) if fitting else None
    words = changed(waiter.request, max_gpu_rate=None)
    listed = tuple(offer for offer in offers if fits(offer, words))
    sold_out = _sold_out(waiter.attempts, now)
    called = {attempt.called_offer.offer_id for attempt in waiter.attempts}
    allowed = [
        offer
        for offer in listed
        if offer.rate <= rental.terms.max_rate
        and (waitlist_entry.gpu is None or fits_model(offer.gpu, waitlist_entry.gpu))
        and place_of(offer) not in sold_out
        and offer.offer_id not in called
    ]
    if allowed:
        # After one failure, such as a price that no longer stood, a place is tried again. But a cheap place that
        # keeps failing must not keep the wish from dearer ones.
        failures = Counter(place_of(attempt.called_offer) for attempt in _lately(waiter.attempts, now))
        best = min(allowed, key=lambda offer: max(failures[place_of(offer)] - 1, 0))
        return Rent(best) if next_purchase(waiter.attempts, now) <= now else None
    starts_at = waiter.request.starts_at
    if starts_at is None or waiter.told or now < starts_at - SAY_BEFORE_START:
        return None
    dearer = (offer for offer in listed if offer.rate > rental.terms.max_rate)
    return SayNothingFits(next(dearer, None))


def _sold_out(attempts: Iterable[Attempt], now: datetime) -> set[Place]:
    """Return the places where an attempt failed a short time ago."""
    return {
        place_of(attempt.called_offer)
        for attempt in attempts
        if attempt.why not in NEEDS_NEW_QUOTE and now - attempt.intended_at < SOLD_OUT_FOR
    }
