"""Actions that request offers.

A quote is a search that is stored together with the offers that it found.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from bot.clock import Clock
from bot.errors import MarketAway, Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Direct
from bot.lifecycle.actions.queries import own_quote, unknown_search
from bot.lifecycle.deps import Deps
from bot.lifecycle.outside import Market
from bot.lifecycle.people.teammates import check_startup_script, checked_people, with_people_added_since
from bot.lifecycle.steps.shared_offers import SharedOffers
from bot.model.base import Frozen, changed
from bot.model.message import Destination
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState, WaitlistEntry
from bot.model.request import Request
from bot.model.state import State
from bot.policy.access.startup_script import check_setup
from bot.policy.buying.budgets import project_of
from bot.policy.buying.spending import check_size, with_price_of_total
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user, is_owner, may_use_in
from bot.policy.use.flexible_end import kept_until, last_moment
from bot.policy.use.keeping import with_kept
from bot.policy.use.leases import counted_from, too_little_time, without_past_end
from store.db import Tx

QUOTES_PER_MINUTE = 6


def check_may_ask(deps: Deps, person: Person, asked_in: str, *, direct: bool) -> None:
    """Refuse a person who isn't allowed to use the bot in the channel `asked_in`. Raises Refused.

    `direct` is True if that channel is a direct message.
    """
    check_user(person, deps.rules)
    if not may_use_in(asked_in, direct=direct, rules=deps.rules):
        raise Refused("I can't be used in this channel.", channels=deps.rules.use.channels)


async def check_pace(tx: Tx, deps: Deps, person: Person) -> None:
    """Refuse a search if the person has already started QUOTES_PER_MINUTE searches in the last minute.

    Raises Refused.
    """
    minute = timedelta(minutes=1)
    asked = await tx.quotes.asked_since(person.id, deps.clock.now() - minute)
    if len(asked) >= QUOTES_PER_MINUTE:
        raise Refused("Six searches a minute is the limit.", again_at=asked[-QUOTES_PER_MINUTE] + minute)


class Ask(Direct[str, Quote], id="ask"):
    """Store a quote for a request. Once its offers have been found, they are sent to `reply_to`.

    The caller has looked up the request's teammates in Slack. `direct` says whether `asked_in` is a direct
    message.

    Raises:
        Refused: The person isn't allowed to use the bot in this channel or to charge this project, the request has
            too many GPUs, a teammate can't be added, or the person has started QUOTES_PER_MINUTE searches within
            the last minute.
        Mistake: A value of the request is wrong, such as an unknown project or a lease that is too long. Also
            raised if the keys and the setup script don't fit into a startup script, or if too little time is left
            until the requested end.
    """

    request: Request
    asked_in: str
    direct: bool
    reply_to: Destination
    rent_now: bool = False
    replaces: bool = False
    changes: str | None = None
    waitlist_entry: WaitlistEntry | None = None

    async def load(self, tx: Tx, deps: Deps, person: Person) -> str:
        """Return the project to which the rental is charged."""
        check_may_ask(deps, person, self.asked_in, direct=self.direct)
        if self.changes is not None and self.request.starts_at is not None:
            message = "A request that waits for approval can't get a start time."
            raise Mistake(message, next_step=NextStep.WITHDRAW_AND_ASK_AGAIN)
        project = project_of(person, self.request.project, self.asked_in, deps.rules)
        check_size(self.request, deps.rules)
        check_setup(self.request.setup, deps.rules)
        return project

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: str) -> Quote:
        await check_pace(tx, deps, person)
        teammates = await checked_people(tx, deps.rules, person.id, self.request.teammates)
        await check_startup_script(tx, deps, person.id, teammates, self.request, reader=person.id)
        quote = new_quote(
            deps,
            person,
            changed(self.request, teammates=teammates),
            asked_in=self.asked_in,
            project=plan,
            reply_to=self.reply_to,
            rent_now=self.rent_now,
            replaces=self.replaces,
            changes=self.changes,
            waitlist_entry=self.waitlist_entry,
        )
        await tx.quotes.add(quote)
        return quote


def new_quote(
    deps: Deps,
    person: Person,
    request: Request,
    *,
    asked_in: str,
    project: str,
    reply_to: Destination,
    rent_now: bool = False,
    replaces: bool = False,
    changes: str | None = None,
    replaces_rental: str | None = None,
    waitlist_entry: WaitlistEntry | None = None,
) -> Quote:
    """Return a quote whose search is due now. The quote isn't stored yet.

    If the request names the end of the lease, the lease begins now and lasts until that end. If the request names
    a highest total instead of a highest price, the highest price is computed from the total and the length of the
    lease. For a replacement, the highest price isn't computed.

    Raises Mistake if too little time is left.
    """
    now = deps.clock.now()
    request = counted_from(request, now)
    if replaces_rental is None:
        request = with_kept(request, now, zone_of(person.tz, deps.rules), deps.rules)
        request = with_price_of_total(request, deps.rules)
    return Quote(
        id=deps.new_id(12),
        state=QuoteState.LOOKING,
        owner=person.id,
        asked_in=asked_in,
        project=project,
        request=request,
        rent_now=rent_now,
        changes=changes,
        replaces_rental=replaces_rental,
        reply_to=reply_to,
        replaces=replaces,
        waitlist_entry=waitlist_entry,
        created_at=now,
        due_at=now,
    )


# --- repeating a search


async def quote_to_ask_again(deps: Deps, person: Person, quote_id: str) -> Quote:
    """Return one of the person's own quotes, so that they can search again.

    `quote_of_today` updates the quote before it is returned. Raises the same errors as `own_quote`.
    """
    async with deps.store.read() as tx:
        return await quote_of_today(tx, await own_quote(tx, person, quote_id))


async def quote_of_today(tx: Tx, quote: Quote) -> Quote:
    """Update a quote that is meant to change a pending request. Return any other quote unchanged.

    If the request has been shared with more people since the quote was created, they are added to the quote. If
    the request is over, the quote becomes one for a new rental.
    """
    rental = await tx.rentals.get(quote.changes) if quote.changes is not None else None
    if rental is None:
        return quote
    if rental.state.over:
        return changed(quote, changes=None)
    return changed(quote, request=await with_people_added_since(tx, quote, rental))


class LastRequest(Frozen):
    """A person's last request, to be repeated."""

    request: Request
    end_dropped: bool
    """True if the time at which the lease was to end has passed or is near.

    The new request then has the usual length instead.
    """


async def last_request(deps: Deps, person: Person) -> LastRequest:
    """Return a person's last request.

    Raises Refused if they aren't allowed to use the bot, and Mistake if they haven't made a request yet.
    """
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        quote = await tx.quotes.newest(person.id)
    if quote is None:
        raise Mistake("You haven't asked for a machine yet.", next_step=NextStep.RENT_ONE)
    now = deps.clock.now()
    request = without_past_end(quote.request, now, deps.rules)
    return LastRequest(request=request, end_dropped=too_little_time(quote.request, now))


def nearby_request(quote: Quote, index: int) -> Request:
    """Return one of the similar requests that were suggested to the person, by its index.

    Raises TooLate if there is no suggestion with this index.
    """
    if index >= len(quote.nearby):
        raise unknown_search()
    return changed(quote.nearby[index].request, teammates=quote.request.teammates)


def request_until(quote: Quote, first: datetime) -> Request:
    """Return a search's request with `first` as the earliest end of the lease. The latest end doesn't change.

    Raises TooLate if `first` is later than the latest end.
    """
    if first > last_moment(quote.request, quote.created_at):
        raise unknown_search()
    return kept_until(quote.request, first, quote.created_at)


def request_for(quote: Quote, lease: timedelta) -> Request:
    """Return a quote's request with a single, fixed end. `lease` is the length of the lease."""
    start = quote.request.starts_at
    return changed(quote.request, lease=lease, until=start + lease if start else None, up_to=None)


def request_with_price_for_all(quote: Quote) -> Request:
    """Return a quote's request with a new highest price, because the typed price was meant for all GPUs together.

    The new highest price is the typed price divided by the number of GPUs.
    """
    rate = quote.request.max_gpu_rate
    each = None if rate is None else (rate / quote.request.count).quantize(Decimal("0.0001"), rounding=ROUND_FLOOR)
    return changed(quote.request, max_gpu_rate=each, cap_for_each_or_all=False)


async def quote_to_change(deps: Deps, person: Person, rental_id: str) -> Quote:
    """Return the quote of a pending request that the person wants to change.

    A quote is a search for offers. It is returned with all present teammates of the rental.

    Raises:
        Refused: The person isn't the owner of the request.
        TooLate: The request is no longer pending.
        Mistake: The request is on the waitlist.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        quote = await tx.quotes.get(rental.quote_id) if rental and rental.quote_id else None
    if rental is not None and not is_owner(person.id, rental.owner):
        raise Refused(f"Only the person who asked can change the request {rental_id}. Nothing was changed.")
    if rental is None or quote is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate(
            f"The request {rental_id} is no longer waiting for approval, so it can't be changed.",
            rental.id if rental else None,
        )
    if quote.waitlist_entry is not None and quote.waitlist_entry.rents:
        message = "A request that is also on the waitlist can't be changed."
        raise Mistake(message, next_step=NextStep.WITHDRAW_AND_ASK_AGAIN)
    return changed(quote, request=changed(quote.request, teammates=rental.teammates))


# --- prices in a form

SHARED_FOR = timedelta(minutes=1)
"""The time for which a price is reused if somebody makes the same choices in a form."""
ANSWER_WITHIN = 3.0
"""The longest time that a form waits for a price, in wall-clock seconds."""


@dataclass(frozen=True)
class Prices:
    """The source of the prices in forms."""

    shared: SharedOffers
    answer_within: float = ANSWER_WITHIN
    """The longest time that a form waits for a price, in wall-clock seconds."""

    @classmethod
    def of(cls, market: Market, clock: Clock) -> Prices:
        return cls(SharedOffers(market, clock, SHARED_FOR))

    async def offers(self, request: Request) -> tuple[Offer, ...]:
        """Return the offers that match a request, cheapest first.

        A response that comes too late is used for the next equal request. Raises MarketAway if the market hasn't
        responded in time.
        """
        try:
            async with asyncio.timeout(self.answer_within):
                return await self.shared.get(request)
        except TimeoutError:
            raise MarketAway("Compute Clear hasn't responded yet.", may_have_bought=False) from None


async def cheapest(deps: Deps, prices: Prices, person: Person, request: Request) -> Offer | None:
    """Return the cheapest offer for a request, or None if nothing is offered.

    Nothing is stored, and the query doesn't count toward the number of searches that a person is allowed to start
    in a minute. A response that comes too late is used for the next person who makes the same choices.

    Raises:
        Refused: The person isn't allowed to use the bot, or the request has too many GPUs.
        Mistake: The lease is too long.
        MarketAway: The market hasn't responded in time.
    """
    check_user(person, deps.rules)
    check_size(request, deps.rules)
    request = with_kept(request, deps.clock.now(), zone_of(person.tz, deps.rules), deps.rules)
    return next(iter(await prices.offers(with_price_of_total(request, deps.rules))), None)
