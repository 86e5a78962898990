"""Renting an offer, and changing a request that still waits."""

from __future__ import annotations

from datetime import datetime

from bot.errors import NeedsKey, NextStep, Refused, RentsAlready, TooLate
from bot.lifecycle import transitions
from bot.lifecycle.account import check_buying
from bot.lifecycle.billing import spent
from bot.lifecycle.deps import Deps, new_id, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.service.quoting import check_user
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.rental import Decider, Rental, Waiting
from bot.model.state import State
from bot.policy.spending import Proposal, check_rent


async def rent(deps: Deps, person: Person, quote_id: str, offer_id: str, *, another: bool = False) -> Rental:
    """Rents the clicked offer, or asks for its approval. A quote makes at most one rental.

    Raises TooLate where the quote made one already or its price no longer stands, NeedsKey, RentsAlready unless
    `another` is meant, and Refused where the rules say no.
    """
    check_user(person, deps.rules)

    async def decision(tx: Tx) -> Rental:
        # First, as it waits for others who are renting: what is read after it is what they left.
        usage = await tx.rentals.usage(person.id)
        quote, offer = await _clicked(tx, deps, person, quote_id, offer_id)
        if quote.changes is not None:
            return await _change(tx, deps, person, quote, offer)
        if not another:
            await _check_twin(tx, person, quote)
        await check_buying(tx)
        proposal = check_rent(
            quote.request,
            offer.rate,
            deps.rules,
            person_rentals=usage.person_rentals,
            team_rate=usage.team_rate,
        )
        rental, event = _new(deps, quote, offer, proposal, rental_id=await _free_id(tx))
        await tx.rentals.apply(change(None, rental, events=(event,), rules=deps.rules, real_now=deps.clock.real()))
        await tx.quotes.save(changed(quote, rental_id=rental.id))
        await tx.people.note_seen(person.id, deps.clock.now())
        return rental

    return await transact(deps, decision)


async def _clicked(tx: Tx, deps: Deps, person: Person, quote_id: str, offer_id: str) -> tuple[Quote, Offer]:
    quote = await tx.quotes.get(quote_id)
    offer = next((offer for offer in quote.offers if offer.offer_id == offer_id), None) if quote else None
    if quote is None or offer is None:
        raise TooLate("These offers are gone. Nothing was rented.", next_step=NextStep.ASK_AGAIN)
    if quote.owner != person.id:
        raise Refused("Only who asked can rent from this list.", next_step=NextStep.ASK_FOR_YOUR_OWN)
    if quote.rental_id is not None:
        raise TooLate(f"This list already made {quote.rental_id}. Nothing more was rented.", quote.rental_id)
    if await tx.people.key(person.id) is None:
        raise NeedsKey("Before I rent I need your public SSH key: it lets you in.")
    if offer.expires_at <= deps.clock.now():
        raise TooLate("These prices no longer stand. Nothing was rented. Refresh to see today's.")
    return quote, offer


async def _check_twin(tx: Tx, person: Person, quote: Quote) -> None:
    wanted = quote.request
    for twin in await tx.rentals.live(person.id):
        if twin.state is State.DESTROYING:
            continue
        if (twin.request.gpu, twin.request.count, twin.request.region) == (
            wanted.gpu,
            wanted.count,
            wanted.region,
        ):
            raise RentsAlready(f"You already rent the same ({twin.id}). Another one?", twin.id)


async def _free_id(tx: Tx) -> str:
    while await tx.rentals.get(rental_id := new_id()) is not None:
        pass
    return rental_id


def _new(deps: Deps, quote: Quote, offer: Offer, proposal: Proposal, *, rental_id: str) -> tuple[Rental, Event]:
    now = deps.clock.now()
    rental = transitions.new_rental(
        quote,
        offer,
        rental_id=rental_id,
        card_channel=quote.card_channel or deps.rules.home_channel,
        envelope=proposal.envelope,
        waiting=_waiting(deps, proposal, now),
        now=now,
    )
    kind = EventKind.STARTED if rental.waiting is None else EventKind.ASKED
    return rental, Event(rental_id=rental_id, kind=kind, at=now, actor=quote.owner, facts=envelope_facts(rental))


def _waiting(deps: Deps, proposal: Proposal, now: datetime) -> Waiting | None:
    """Return the decision that a request waits for. Return None if its owner may decide alone."""
    if not proposal.over:
        return None
    return Waiting(decider=Decider.APPROVER, expires_at=now + deps.rules.approval.expires)


def envelope_facts(rental: Rental) -> Facts:
    """What an envelope allows, as a reply tells it."""
    envelope, waiting = rental.envelope, rental.waiting
    return Facts(
        envelope=envelope.version,
        rate=envelope.price,
        max_rate=envelope.max_rate,
        total=envelope.total,
        hours=envelope.lease,
        until=waiting.expires_at if waiting else None,
        why=waiting.why if waiting else None,
    )


async def _change(tx: Tx, deps: Deps, person: Person, quote: Quote, offer: Offer) -> Rental:
    """Another request takes the place of one that waits: the next version of its envelope."""
    rental = await tx.rentals.get(quote.changes or "")
    if rental is not None and rental.owner != person.id:
        raise Refused("Only who asked can change this request.")
    if rental is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate("It no longer waits, so I changed nothing.", quote.changes)
    await check_buying(tx)
    usage = await tx.rentals.usage(person.id, without=rental.id)
    now = deps.clock.now()
    billed = spent(
        await tx.rentals.ledger(rental.id),
        await tx.rentals.resources(rental.id),
        await tx.rentals.attempts(rental.id),
        now,
    )
    proposal = check_rent(
        quote.request,
        offer.rate,
        deps.rules,
        person_rentals=usage.person_rentals,
        team_rate=usage.team_rate,
        version=rental.envelope.version + 1,
        spent=billed.amount,
    )
    after = transitions.change_request(
        rental, quote, offer, envelope=proposal.envelope, waiting=_waiting(deps, proposal, now), now=now
    )
    event = Event(
        rental_id=rental.id, kind=EventKind.CHANGED, at=now, actor=person.id, facts=envelope_facts(after)
    )
    await tx.rentals.apply(change(rental, after, events=(event,), rules=deps.rules, real_now=deps.clock.real()))
    await tx.quotes.save(changed(quote, rental_id=rental.id))
    await tx.people.note_seen(person.id, now)
    return after
