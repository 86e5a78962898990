"""Waiting for an offer, and renting at a later time.

A wish is a quote that waits: its `waits_for` is set. Once an offer fits, its owner is told of it, or it is
rented by the rental that waits for it in state `queued`. bot/lifecycle/loops/wishes.py looks for offers.
"""

from __future__ import annotations

from decimal import Decimal

from bot.lifecycle.deps import Deps
from bot.lifecycle.ports.store import Tx
from bot.model.base import Frozen, Instant
from bot.model.budget import Demand
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Envelope
from bot.model.summary import Over


class WaitPreview(Frozen):
    """What a person agrees to if a machine is rented for them once an offer fits, or at a later time."""

    quote: Quote
    envelope: Envelope
    """`max_rate` is the highest price per hour for the whole machine, and `total` the most that it can cost."""
    over: tuple[Over, ...] = ()
    """The limits that the envelope is over. If there are none, no approver decides before it waits."""
    passed: tuple[Demand, ...] = ()
    """The budgets that don't hold the envelope, the tightest one first."""
    until: Instant
    """When the wish ends if nothing fitted."""


class WaitingView(Frozen):
    """Something that a person waits for."""

    quote: Quote
    rental: Rental | None = None
    """The rental that waits: for an approval (`awaiting_approval`) or for an offer (`queued`). None if its
    owner is told once there is an offer."""
    owner_name: str = ""


async def preview(
    deps: Deps, person: Person, quote_id: str, *, max_rate: Decimal | None = None
) -> WaitPreview | None:
    """Return what [Rent it for me ...] or, if the request has a start time, [Rent it then] would allow, for a
    dialog.

    `max_rate` is the highest price that the person named, USD per hour for the whole machine. None: the price
    in the words, or for a start time the cheapest offer's price and `procure.dearer`. Return None if neither is
    known: then the person has to name a price. Raise as `rent_when_found`, except for NeedsKey.
    """
    raise NotImplementedError


async def preview_of(tx: Tx, deps: Deps, quote: Quote, *, max_rate: Decimal | None = None) -> WaitPreview | None:
    """As `preview`, in the caller's transaction, for an answer to the quote's owner."""
    raise NotImplementedError


async def tell(deps: Deps, person: Person, quote_id: str) -> Quote:
    """Tell the person once an offer fits what the quote asks for: [Tell me when there is one].

    `quote.wish` says until when, and whether also outside of their hours, as they typed it. None: for
    `waiting.longest`, within their hours. A second click changes nothing.

    Raise TooLate if the quote is unknown or made a rental that is not over, Refused if it is somebody else's,
    if the person may not use the bot, or if they wait for `waiting.per_person` machines already. Raise Mistake
    if too little time is left until the end that the request names.
    """
    raise NotImplementedError


async def rent_when_found(deps: Deps, person: Person, quote_id: str, *, max_rate: Decimal | None = None) -> Rental:
    """Rent what the quote asks for once it costs at most `max_rate`: [Rent it for me ...]. If the request has a
    start time, rent it then: [Rent it then]. `max_rate` is as for `preview`.

    Return a rental that waits for an offer (`queued`), or for an approver first. Raise as `tell`, and as
    `renting.rent` if the rules or budgets don't allow it. Raise NeedsKey if the person has no key. Raise
    Mistake if no price is known.
    """
    raise NotImplementedError


async def stop(deps: Deps, person: Person, wish_id: str) -> Quote:
    """Stop waiting: [Stop waiting]. `wish_id` is the id of the quote or of its rental. The rental ends as
    withdrawn, and nothing stays reserved. Return the quote.

    Raise TooLate if it no longer waits, for example because its machine was just rented, and Refused if it is
    somebody else's and the person may not end it.
    """
    raise NotImplementedError


async def wait_again(deps: Deps, person: Person, quote_id: str) -> Quote:
    """Begin a new wish like an earlier one, for the same length of time: [Wait again]. Its owner is told once
    there is an offer. Return the new quote. Raise as `tell`."""
    raise NotImplementedError


async def rent_dearer(deps: Deps, person: Person, rental_id: str, offer_id: str) -> Rental:
    """Rent an offer that costs more than the rental's owner allowed, at its price: [Rent at $23.10/h now] below
    "Nothing fits". The rental is bought now, or waits for an approver first.

    Raise TooLate if it no longer waits or the price no longer stands, and as `renting.rent`.
    """
    raise NotImplementedError


async def waiting_of(deps: Deps, person: Person) -> list[WaitingView]:
    """Return what a person waits for, in the order in which they began to wait."""
    raise NotImplementedError


async def starting(deps: Deps, person: Person) -> list[WaitingView]:
    """Return what starts at a later time, of everyone, the earliest first, for a person who may use the bot. Raise
    Refused if they may not."""
    raise NotImplementedError
