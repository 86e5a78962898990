"""Finds offers for a quote, and rents one of them immediately if the quote asks for that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from bot.errors import GpubotError, MarketAway, Mistake, Refused, TokenRefused, TooLate
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.renting import Rent
from bot.lifecycle.deps import StepDeps, transact
from bot.lifecycle.people.teammates import with_startup_script
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.lifecycle.steps.replacing import rent_replacement
from bot.lifecycle.steps.shared_offers import SharedOffers
from bot.model.base import EVER, changed
from bot.model.message import Message, MessageKind, queued, to_person
from bot.model.offer import Offer
from bot.model.person import Channel
from bot.model.quote import Nearby, Quote, QuoteState
from bot.model.request import Request
from bot.policy.buying.offers import likeliest_first, nearby
from bot.policy.buying.spending import needs_confirmation, propose
from bot.policy.team.hours import zone_of
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import night_end

SAY_LOOKING_AFTER = 2.0
"""The wall-clock seconds after which the person is notified that the search takes longer."""
FIRST_SEARCH_WITHIN = timedelta(seconds=10)
"""The time after the command within which a search is treated as the first search of the quote.

The person is notified of a slow search only if it is the first.
"""
GIVE_UP_AFTER = timedelta(minutes=2)


async def find(deps: StepDeps, shared: SharedOffers, quote: Quote) -> None:
    """Find offers for a quote, and store the answer for delivery.

    If there are no offers, look for similar requests that have offers. This also ends the claim, that is, this
    process's right to work on the quote.
    """
    if quote.rental_id is not None:
        await _answer(deps, changed(quote, due_at=None))
        return
    search = asyncio.ensure_future(_search(deps, shared, quote))
    done, _ = await asyncio.wait({search}, timeout=SAY_LOOKING_AFTER)
    goes_on = not done or search.result().due_at is not None
    if goes_on and deps.clock.now() - quote.created_at < FIRST_SEARCH_WITHIN:
        async with deps.store.write() as tx:
            if await tx.quotes.hold(quote.id):
                await tx.messages.add(_message(MessageKind.LOOKING, quote, deps))
    found = await search
    bot_was_down = quote.due_at is not None and deps.clock.now() - quote.due_at >= GIVE_UP_AFTER
    if found.rent_now and found.state is QuoteState.FOUND and not bot_was_down:
        found = await _rent_now(deps, found)
    if found.replaces_rental is not None and found.state is QuoteState.FOUND and not bot_was_down:
        found = await _replace(deps, found)
    await _answer(deps, found)


async def _answer(deps: StepDeps, quote: Quote) -> None:
    """Save the quote. If the search is complete, also store the answer for delivery.

    Does nothing if another process is now working on the quote, because that process will answer.
    """
    # The database needn't wait until this write is on the disk. If a power cut loses the write, the search for
    # offers is simply repeated.
    async with deps.store.write(durable=False) as tx:
        if not await tx.quotes.hold(quote.id):
            return
        await tx.quotes.save(quote)
        await tx.quotes.release(quote.id)
        if quote.due_at is None:
            await tx.messages.add(_message(MessageKind.QUOTE, quote, deps))


def _message(kind: MessageKind, quote: Quote, deps: StepDeps) -> Message:
    return queued(kind, quote.reply_to or to_person(quote.owner), deps.clock.real(), quote_id=quote.id)


async def _search(deps: StepDeps, shared: SharedOffers, quote: Quote) -> Quote:
    try:
        offers = await _likeliest_first(deps, await shared.get(quote.request))
        close = () if offers else await _nearby(shared, quote.request)
    except TokenRefused:
        # The market refused the API token. Don't repeat the search: all searches fail until somebody replaces the
        # token.
        return changed(quote, state=QuoteState.UNANSWERED, due_at=None)
    except MarketAway:
        now = deps.clock.now()
        if now - quote.created_at >= GIVE_UP_AFTER:
            return changed(quote, state=QuoteState.UNANSWERED, due_at=None)
        return changed(quote, due_at=soonest(poll_at(now), quote.created_at + GIVE_UP_AFTER))
    channel = await deps.channels.get(quote.asked_in)
    return changed(
        quote,
        state=QuoteState.FOUND if offers else QuoteState.NONE,
        offers=offers,
        nearby=close,
        card_channel=card_channel(channel, deps.rules),
        due_at=None,
    )


async def _likeliest_first(deps: StepDeps, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Sort offers with equal prices by the success rates of their vendors, best first."""
    if len({offer.rate for offer in offers}) == len(offers):
        return tuple(offers)
    async with deps.store.read() as tx:
        return likeliest_first(offers, await tx.rentals.success_rates({(one.vendor, one.gpu) for one in offers}))


def card_channel(channel: Channel, rules: Rules) -> str:
    """Return the channel for a rental's card, the message that shows the rental.

    Usually, this is the channel in which the command was typed. It is the home channel if the command was typed in
    a direct message, in a channel without the bot, or in a channel that people outside the workspace can read.
    """
    usable = channel.member and not channel.direct and not channel.shared
    return channel.id if usable else rules.home_channel


async def _nearby(shared: SharedOffers, request: Request) -> tuple[Nearby, ...]:
    """Return similar requests that have offers. A request is left out if the query for its offers fails."""
    similar = nearby(request)
    answers = await asyncio.gather(*(shared.get(r) for r in similar), return_exceptions=True)
    return tuple(
        Nearby(request=r, cheapest=offers[0])
        for r, offers in zip(similar, answers, strict=True)
        if isinstance(offers, tuple) and offers
    )


async def _replace(deps: StepDeps, quote: Quote) -> Quote:
    """Rent a replacement for another rental, using the first offer that fits.

    Returns the quote with the new rental. If nothing was rented, the quote is returned unchanged, so that its
    offers are shown. Raises Outage if the store doesn't accept the write.
    """
    try:
        rental = await transact(deps, rent_replacement, deps, quote)
    except (Mistake, Refused, TooLate):
        return quote
    return quote if rental is None else changed(quote, rental_id=rental.id)


async def _rent_now(deps: StepDeps, quote: Quote) -> Quote:
    """Rent the recommended offer without another click, if that is allowed.

    This is allowed if the owner has a key, the offer needs neither approval nor confirmation, and the lease can't
    end at night. Returns the quote with its rental. If nothing was rented, returns a quote that shows its offers.
    """
    shown = changed(quote, rent_now=False)
    async with deps.store.read() as tx:
        offers = await with_startup_script(tx, quote.offers, quote.request, quote.request.teammates)
    if not offers:
        return shown
    offer = offers[0]
    proposal = propose(quote.request, offer.gpu, offer.rate, deps.rules)
    if proposal.over or needs_confirmation(proposal.terms) or quote.request.starts_at is not None:
        return shown
    async with deps.store.write() as tx:
        # Leave the search for offers scheduled until its answer is stored. If the process dies before that, the
        # search is repeated after the next start.
        await tx.quotes.save(changed(quote, due_at=quote.created_at))
        person = await tx.people.get(quote.owner, EVER)
        has_key = bool(await tx.people.keys(quote.owner))
    if person is None or not has_key:
        return shown
    zone = zone_of(person.tz, deps.rules)
    if night_end(quote.request, quote.created_at, deps.clock.now(), zone, deps.rules) is not None:
        return shown
    try:
        rented = await carry_out(deps, person, Rent(quote.id, offer.offer_id))
    except GpubotError:
        return shown
    return changed(quote, rental_id=rented.rental.id)
