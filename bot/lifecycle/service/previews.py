"""What is looked at before someone decides: offers as they stand, and what waits, for whoever may decide it."""

from __future__ import annotations

from bot.errors import Refused, TooLate
from bot.lifecycle.deps import Deps
from bot.lifecycle.ports import Tx, Usage
from bot.lifecycle.service.deciding import check_decider, waiting_envelope
from bot.lifecycle.service.ending import destroyable
from bot.lifecycle.service.leasing import ready
from bot.lifecycle.service.queries import details
from bot.model.base import Frozen, changed
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.roles import sees_money
from bot.policy.spending import CONFIRM_ABOVE, ONLY_APPROVERS, judge


class Clicked(Frozen):
    """An offer, the quote that found it, and what decides whether it may be rented."""

    offer: Offer
    quote: Quote
    usage: Usage


async def to_rent(deps: Deps, person: Person, quote_id: str, offer_id: str) -> Clicked | None:
    """An offer of one's own quote that may come to so much that it is confirmed first. None for any other, and
    where `renting.rent` is to say why not. Raises as `to_ask_again` does."""
    async with deps.store.read() as tx:
        quote = await own_quote(tx, person, quote_id)
        offer = next((offer for offer in quote.offers if offer.offer_id == offer_id), None)
        if offer is None or offer.expires_at <= deps.clock.now() or quote.rental_id is not None:
            return None
        # What the team's limit leaves can only make it less.
        if judge(quote.request, offer.rate, deps.rules).envelope.total <= CONFIRM_ABOVE:
            return None
        usage = await tx.rentals.usage(quote.owner, without=quote.changes)
        return Clicked(offer=offer, quote=quote, usage=usage)


async def to_ask_again(deps: Deps, person: Person, quote_id: str) -> Quote:
    """Return a quote of one's own, to ask for it or something like it again. If it changed a request that is over,
    it asks for a new rental. Raise TooLate if it is unknown, Refused if it is somebody else's."""
    async with deps.store.read() as tx:
        quote = await own_quote(tx, person, quote_id)
        rental = await tx.rentals.get(quote.changes) if quote.changes is not None else None
        return changed(quote, changes=None) if rental is not None and rental.state.over else quote


async def own_quote(tx: Tx, person: Person, quote_id: str) -> Quote:
    """As `to_ask_again`, within a transaction."""
    quote = await tx.quotes.get(quote_id)
    if quote is None:
        raise TooLate("I don't know this search any more. Nothing was rented. Ask again: /gpu get")
    if quote.owner != person.id:
        raise Refused("That is somebody else's search. Ask for your own: /gpu get")
    return quote


async def to_change(deps: Deps, person: Person, rental_id: str) -> Quote:
    """The quote behind one's own request that still waits, to change it. Raises TooLate or Refused."""
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        quote = await tx.quotes.get(rental.quote_id) if rental else None
    if rental is not None and rental.owner != person.id:
        raise Refused("Only who asked can change this request. I changed nothing.")
    if rental is None or quote is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate("It no longer waits, so there is nothing to change.", rental.id if rental else None)
    return quote


async def to_decide(deps: Deps, person: Person, rental_id: str, version: int) -> RentalDetails | None:
    """A rental of which version `version` waits and comes to so much that it is confirmed first, for who can
    decide it. None where it comes to less, and where `deciding.approve` is to say why not."""
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        envelope = waiting_envelope(rental) if rental else None
        if rental is None or envelope is None or envelope.version != version or envelope.total <= CONFIRM_ABOVE:
            return None
        try:
            check_decider(person, rental, deps.rules)
        except Refused:
            return None
        return await details(tx, rental, deps.clock.now())


async def newest(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """A rental as it is now, for who clicked on an old version of its request. Raises Refused for who can neither
    decide nor pay for it, TooLate for an unknown one."""
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise TooLate("I don't know this request any more.")
        if not sees_money(person, rental.owner, deps.rules):
            raise Refused(ONLY_APPROVERS)
        return await details(tx, rental, deps.clock.now())


async def to_extend(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """A rental that this person may extend. Raises Mistake, Refused, TooLate."""
    async with deps.store.read() as tx:
        return await details(tx, await ready(tx, deps, person, rental_id), deps.clock.now())


async def to_destroy(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """A rental that this person may destroy. Raises Mistake, Refused, TooLate."""
    async with deps.store.read() as tx:
        return await details(tx, await destroyable(tx, deps, person, rental_id), deps.clock.now())
