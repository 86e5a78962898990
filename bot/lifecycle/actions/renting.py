"""Renting an offer, and changing a request that still waits."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import DuplicateRental, NeedsKey, NextStep, Refused, TooLate
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps, free_id, transact
from bot.lifecycle.money.budgets import reach_of_rent, room_for
from bot.lifecycle.money.buying_blocks import check_buying
from bot.lifecycle.people.back_to_approval import envelope_facts, pending_decision
from bot.lifecycle.people.deciders import Deciders, deciders
from bot.lifecycle.people.teammates import check_boot_script, check_key, let_in, with_people_added_since
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.spending import Proposal, cheapest_other, check_rent
from bot.policy.team.roles import check_user, is_owner
from bot.policy.use.leases import check_time_left
from store.db import Tx

CLICK_COUNTS_FOR = timedelta(days=1)
"""For how long after a search the click of a person without a key still counts."""


async def rent(deps: Deps, person: Person, quote_id: str, offer_id: str, *, another: bool = False) -> Rental:
    """Rent an offer of a quote, or ask for its approval. A quote makes at most one rental.

    Raise TooLate if the quote made one already or the price no longer stands, DuplicateRental if the person rents
    the same already and `another` is false, Mistake if too little time is left until the end that they named, and
    Refused or Mistake if the rules don't allow it. Raise NeedsKey if only a key is missing; the offer is then
    rented when the person adds one (`clicked_offer.rent_clicked`).
    """

    async def decision(tx: Tx) -> Rental | NeedsKey:
        try:
            return await rent_offer(tx, deps, person, quote_id, offer_id, another=another)
        except NeedsKey as missing:
            # Not raised here: that would roll the transaction back.
            await _note_click(tx, deps, person, quote_id, offer_id, another=another)
            return missing

    result = await transact(deps, decision)
    if isinstance(result, NeedsKey):
        raise result
    return result


async def rent_offer(tx: Tx, deps: Deps, person: Person, quote_id: str, offer_id: str, *, another: bool) -> Rental:
    """Rent an offer as `rent` does, in the caller's transaction. Nothing is written if this raises."""
    check_user(person, deps.rules)
    quote, offer = await _load_offer(tx, deps, person, quote_id, offer_id)
    if quote.changes is not None:
        return await _change_request(tx, deps, person, quote, offer)
    if not another:
        await _check_duplicate(tx, person, quote.request)
    proposal = await judge_offer(tx, deps, quote.request, offer, owner=quote.owner, project=quote.project)
    await check_key(tx, deps.rules, person)
    asked = await deciders(tx, deps.rules, [person.id], deps.clock.now()) if proposal.over else None
    rental, event = _new_rental(deps, quote, offer, proposal, asked, rental_id=await free_id(tx, deps))
    events = (event, *await let_in(tx, rental, rental.teammates, deps.clock.now()))
    await apply(tx, deps, None, rental, *events, within_budgets=True)
    await tx.quotes.save(changed(quote, rental_id=rental.id))
    if quote.told:
        await tx.messages.show_quote(quote.id)
    await tx.people.note_seen(person.id, deps.clock.now())
    return rental


async def judge_offer(
    tx: Tx,
    deps: Deps,
    request: Request,
    offer: Offer,
    *,
    owner: str,
    project: str,
    rental: Rental | None = None,
) -> Proposal:
    """Return what renting an offer would allow, with the limits and budgets that it is over. `rental` is the one
    that waits and whose request this would become.

    Raise Refused, Mistake or BuyingBlocked if the rules, the team's limits or a pause don't allow it.
    """
    await check_buying(tx)
    rules, now = rules_of_project(deps.rules, project), deps.clock.now()
    usage = await tx.rentals.usage(owner, without=rental.id if rental is not None else None)
    reach = reach_of_rent(request.longest, now, rules)
    room = await room_for(tx, rules, owner=owner, project=project, reach=reach, rental=rental)
    again: dict[str, int] = {}
    if rental is not None:
        spent = (await load_snapshot(tx, rental)).spent_at_most(now)
        again = {"version": rental.envelope.version + 1, "spent": spent}
    return check_rent(
        request,
        offer,
        rules,
        usage=usage,
        room=room,
        **again,
    )


async def _note_click(tx: Tx, deps: Deps, person: Person, quote_id: str, offer_id: str, *, another: bool) -> None:
    """Note this offer as the one that is rented when the person adds a key, instead of any earlier one."""
    now = deps.clock.now()
    for earlier in await tx.quotes.clicked(person.id, now - CLICK_COUNTS_FOR):
        await tx.quotes.save(changed(earlier, clicked_offer=None, clicked_another=False))
    quote = await tx.quotes.get(quote_id)
    if quote is not None:
        await tx.quotes.save(changed(quote, clicked_offer=offer_id, clicked_another=another))
    await tx.people.note_seen(person.id, now)


async def _load_offer(tx: Tx, deps: Deps, person: Person, quote_id: str, offer_id: str) -> tuple[Quote, Offer]:
    """Return an offer and its quote. Raise TooLate, Refused or Mistake if this person can't rent it."""
    gone = TooLate("These offers are gone. Nothing was rented.", next_step=NextStep.ASK_AGAIN)
    quote = await tx.quotes.get(quote_id)
    if quote is None:
        raise gone
    if not is_owner(person.id, quote.owner):
        raise Refused("Only who asked can rent from this list.", next_step=NextStep.ASK_FOR_YOUR_OWN)
    if quote.rental_id is not None:
        raise TooLate(f"This list already made {quote.rental_id}. Nothing more was rented.", quote.rental_id)
    offer = next((offer for offer in quote.offers if offer.offer_id == offer_id), None)
    if offer is None:
        raise gone
    if offer.expires_at <= deps.clock.now():
        raise TooLate("These prices no longer stand. Nothing was rented. Refresh to see today's.")
    check_time_left(quote.request, deps.clock.now())
    wanted = quote.request
    await check_boot_script(tx, deps, quote.owner, wanted.teammates, wanted, reader=person.id)
    return quote, offer


async def _check_duplicate(tx: Tx, person: Person, request: Request) -> None:
    """Raise DuplicateRental if the person rents as many of the same GPU in the same region already."""
    for rental in await tx.rentals.live(person.id):
        own = rental.request
        same = all(getattr(own, name) == getattr(request, name) for name in ("gpu", "features", "count", "region"))
        if same and rental.state is not State.DESTROYING:
            raise DuplicateRental(f"You already rent the same ({rental.id}). Another one?", rental.id)


def _new_rental(
    deps: Deps, quote: Quote, offer: Offer, proposal: Proposal, asked: Deciders | None, *, rental_id: str
) -> tuple[Rental, Event]:
    now = deps.clock.now()
    rental = transitions.new_rental(
        quote,
        offer,
        rental_id=rental_id,
        card_channel=quote.card_channel or deps.rules.home_channel,
        envelope=proposal.envelope,
        decision=pending_decision(asked, now, deps.rules) if asked else None,
        now=now,
    )
    kind = EventKind.STARTED if rental.decision is None else EventKind.ASKED
    facts = _with_prices(envelope_facts(rental, asked), offer, quote)
    return rental, Event(rental_id=rental_id, kind=kind, at=now, actor=quote.owner, facts=facts)


def _with_prices(facts: Facts, offer: Offer, quote: Quote) -> Facts:
    """Return the facts with what the approvers read of prices: when they were read, and the cheapest other offer.
    Return them unchanged if nobody has to approve it."""
    if facts.admins_decide is None:
        return facts
    return changed(facts, read_at=offer.read_at, other=cheapest_other(offer, quote.offers))


async def _change_request(tx: Tx, deps: Deps, person: Person, quote: Quote, offer: Offer) -> Rental:
    """Replace a request that waits with the quote's request, as the next version of its envelope.

    Raise Refused if the person may not change it, TooLate if it no longer waits, NeedsKey without a key.
    """
    rental = await tx.rentals.get(quote.changes or "")
    if rental is not None and not is_owner(person.id, rental.owner):
        raise Refused("Only who asked can change this request.")
    if rental is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate("It no longer waits, so I changed nothing.", quote.changes)
    now = deps.clock.now()
    proposal = await judge_offer(
        tx, deps, quote.request, offer, owner=quote.owner, project=quote.project, rental=rental
    )
    await check_key(tx, deps.rules, person)
    quote = changed(quote, request=await with_people_added_since(tx, quote, rental))
    asked = await deciders(tx, deps.rules, [person.id], now) if proposal.over else None
    decision = pending_decision(asked, now, deps.rules) if asked else None
    after = transitions.change_request(
        rental, quote, offer, envelope=proposal.envelope, decision=decision, now=now
    )
    facts = _with_prices(envelope_facts(after, asked), offer, quote)
    event = Event(rental_id=rental.id, kind=EventKind.CHANGED, at=now, actor=person.id, facts=facts)
    added = [teammate for teammate in after.teammates if teammate not in rental.teammates]
    events = (event, *await let_in(tx, after, added, now))
    await apply(tx, deps, rental, after, *events, within_budgets=True)
    await tx.quotes.save(changed(quote, rental_id=rental.id))
    await tx.people.note_seen(person.id, now)
    return after
