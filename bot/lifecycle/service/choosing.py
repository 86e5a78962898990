"""What is looked at before someone decides: offers as they stand, and what waits, for whoever may decide it."""

from __future__ import annotations

from bot.errors import Refused, TooLate
from bot.lifecycle.desk import Desk
from bot.lifecycle.ports import Tx, Usage
from bot.lifecycle.service.deciding import check_decider
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


class Found(Frozen):
    """A quote with what decides which of its offers may be rented."""

    quote: Quote
    usage: Usage


async def offers(desk: Desk, person: Person, quote_id: str) -> Found:
    """A quote of one's own, as the rules can judge it now. Raises TooLate where it is unknown, Refused where it is
    somebody else's."""
    async with desk.store.read() as tx:
        quote = await own_quote(tx, person, quote_id)
        return Found(quote=quote, usage=await tx.rentals.usage(quote.owner, without=quote.changes))


async def to_ask_again(desk: Desk, person: Person, quote_id: str) -> Quote:
    """A quote of one's own, to ask for it or something like it again. Raises as `offers` does."""
    async with desk.store.read() as tx:
        return await own_quote(tx, person, quote_id)


async def own_quote(tx: Tx, person: Person, quote_id: str) -> Quote:
    """As `to_ask_again`, within a transaction."""
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
        try:
            check_decider(person, rental, desk.rules)
        except Refused:
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
