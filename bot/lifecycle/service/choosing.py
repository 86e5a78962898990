"""What is looked at before someone decides: the offers as they stand, and what waits, for whoever may decide it."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Refused, TooLate
from bot.lifecycle.desk import Desk
from bot.lifecycle.ports import Tx, Usage
from bot.lifecycle.service.ending import destroyable
from bot.lifecycle.service.leasing import ready
from bot.lifecycle.service.looking import story
from bot.model.base import Frozen
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Envelope
from bot.model.state import State
from bot.model.story import Story
from bot.policy.roles import roles_of

TIMED = 3
"""For how many offers, cheapest first, it is looked up how long such machines usually take."""


class Found(Frozen):
    """A quote with what decides which of its offers may be rented."""

    quote: Quote
    usage: Usage
    usuals: dict[str, timedelta] = {}
    """By offer id: how long such machines usually take from procurement to ready."""


async def found(tx: Tx, quote: Quote, *, timed: bool = True) -> Found:
    """A quote as the rules can judge it now, within a transaction."""
    usuals = {}
    for offer in quote.offers[:TIMED] if timed else ():
        seconds = await tx.rentals.usual_ready(offer.vendor, offer.gpu)
        if seconds is not None:
            usuals[offer.offer_id] = timedelta(seconds=round(seconds))
    usage = await tx.rentals.usage(quote.owner, without=quote.changes)
    return Found(quote=quote, usage=usage, usuals=usuals)


async def offers(desk: Desk, person: Person, quote_id: str, *, timed: bool = True) -> Found:
    """A quote of one's own. Raises TooLate where it is unknown, Refused where it is somebody else's."""
    async with desk.store.read() as tx:
        return await found(tx, await _own(tx, person, quote_id), timed=timed)


async def to_ask_again(desk: Desk, person: Person, quote_id: str) -> Quote:
    """A quote of one's own, to ask for it or something like it again. Raises as `offers` does."""
    async with desk.store.read() as tx:
        return await _own(tx, person, quote_id)


async def _own(tx: Tx, person: Person, quote_id: str) -> Quote:
    quote = await tx.quotes.get(quote_id)
    if quote is None:
        raise TooLate("I don't know this search any more. Nothing was rented. Ask again: /gpu get")
    if quote.owner != person.id:
        raise Refused("That is somebody else's search. Ask for your own: /gpu get")
    return quote


async def to_change(desk: Desk, person: Person, rental_id: str) -> Quote:
    """The quote behind one's own request that still waits, to change it. Raises TooLate or Refused."""
    async with desk.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        quote = await tx.quotes.get(rental.quote_id) if rental else None
    if rental is None or quote is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate("It no longer waits, so there is nothing to change.", rental.id if rental else None)
    if rental.owner != person.id:
        raise Refused("Only who asked can change this request. I changed nothing.")
    return quote


def waiting_envelope(rental: Rental) -> Envelope | None:
    """What of a rental waits for a decision: its extension, or the request itself."""
    if rental.extension is not None:
        return rental.extension.envelope
    return rental.envelope if rental.state is State.AWAITING_APPROVAL else None


async def to_decide(desk: Desk, person: Person, rental_id: str, version: int) -> Story | None:
    """A rental of which version `version` waits, for who can decide it: what to show before they confirm. None
    where `deciding.approve` is to say why not."""
    async with desk.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        envelope = waiting_envelope(rental) if rental else None
        if rental is None or envelope is None or envelope.version != version:
            return None
        if person.id != rental.owner and not roles_of(person, desk.rules).approver:
            return None
        return await story(tx, rental, desk.clock.now())


async def to_extend(desk: Desk, person: Person, rental_id: str) -> Story:
    """A rental that this person may extend. Raises Mistake, Refused, TooLate."""
    async with desk.store.read() as tx:
        return await story(tx, await ready(tx, desk, person, rental_id), desk.clock.now())


async def to_destroy(desk: Desk, person: Person, rental_id: str) -> Story:
    """A rental that this person may destroy. Raises Mistake, Refused, TooLate."""
    async with desk.store.read() as tx:
        return await story(tx, await destroyable(tx, desk, person, rental_id), desk.clock.now())
