"""The offer that a person clicked before they had an SSH key. It is rented, if that is possible, when they add
one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bot.errors import GpubotError, Mistake, Refused, TooLate
from bot.lifecycle.actions.previews import RentPreview, preview_of, quote_of_today
from bot.lifecycle.actions.quoting import new_quote
from bot.lifecycle.actions.renting import CLICK_COUNTS_FOR, rent_offer
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.message import Destination
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from store.db import Tx


@dataclass(frozen=True)
class NotRented:
    """The offer was not rented, for this reason."""

    problem: GpubotError


@dataclass(frozen=True)
class SearchedAgain:
    """The price of the offer no longer stood, so a new search for the same request was started. Its answer has the
    offers."""

    quote: Quote
    """The new search."""


ClickedOffer: TypeAlias = Rental | RentPreview | SearchedAgain | NotRented
"""What became of the clicked offer: it was rented or its approval was asked for, its owner confirms it first, its
price no longer stood, or something else prevents it."""


async def rent_clicked(tx: Tx, deps: Deps, person: Person, reply_to: Destination) -> ClickedOffer | None:
    """Rent the offer that a person clicked last before they had a key. Return what became of the offer, or None if
    there is none. An offer is tried once.

    `reply_to` gets the answer of a new search. The caller has stored the key in the same transaction.
    """
    now = deps.clock.now()
    waiting = await tx.quotes.clicked(person.id, now - CLICK_COUNTS_FOR)
    for quote in waiting:
        await tx.quotes.save(changed(quote, clicked_offer=None, clicked_another=False))
    newest = waiting[0] if waiting else None
    if newest is None or newest.clicked_offer is None or newest.rental_id is not None:
        return None
    try:
        if any(offer.offer_id == newest.clicked_offer and offer.expires_at <= now for offer in newest.offers):
            return await _search_again(tx, deps, person, newest, reply_to)
        preview = await preview_of(tx, deps, newest, newest.clicked_offer)
        if preview is not None:
            return preview
        return await rent_offer(tx, deps, person, newest.id, newest.clicked_offer, another=newest.clicked_another)
    except (Mistake, Refused, TooLate) as problem:
        return NotRented(problem)


async def _search_again(tx: Tx, deps: Deps, person: Person, quote: Quote, reply_to: Destination) -> SearchedAgain:
    earlier = await quote_of_today(tx, quote)
    fresh = new_quote(
        deps,
        person,
        earlier.request,
        asked_in=earlier.asked_in,
        project=earlier.project,
        reply_to=reply_to,
        changes=earlier.changes,
    )
    await tx.quotes.add(fresh)
    return SearchedAgain(quote=fresh)
