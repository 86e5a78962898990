"""Renting another machine in the place of one that was lost, that doesn't work, or that is not what was sold."""

from __future__ import annotations

from datetime import datetime

from bot.errors import Mistake, NextStep, Refused
from bot.lifecycle import replacements, transitions
from bot.lifecycle.account import check_buying
from bot.lifecycle.asking_again import envelope_facts
from bot.lifecycle.boot_size import check_boot_script
from bot.lifecycle.deps import Deps, free_id, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import EVER, Tx
from bot.lifecycle.service.leasing import said_just_now
from bot.lifecycle.service.queries import details_for
from bot.lifecycle.service.quoting import check_pace, check_user, new_quote
from bot.lifecycle.service.renting import check_key, let_in
from bot.lifecycle.snapshot import load_snapshot
from bot.model.attempt import Why
from bot.model.base import Frozen, changed
from bot.model.event import Event, EventKind, Facts
from bot.model.gpu import fits_model
from bot.model.message import Destination
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import Remainder, RentalDetails
from bot.model.text import one_line
from bot.policy.boot import check_setup
from bot.policy.next_offers import with_needed_script
from bot.policy.offers import fits
from bot.policy.replacing import (
    check_replaceable,
    propose_replacement,
    remainder_of,
    replacing_request,
    shortened,
    was_not_as_sold,
)
from bot.policy.roles import may_replace
from bot.policy.spending import CONFIRM_ABOVE, check_size, check_usage

LONGEST_REASON = 200
"""Characters of what an owner says about a machine that doesn't work."""


class ReplacePreview(Frozen):
    """A rental that a person may replace now, and what it leaves to the one that takes its place."""

    details: RentalDetails
    left: Remainder

    @property
    def runs(self) -> bool:
        """Whether its machine still runs, so that it is destroyed once another one is bought."""
        return self.details.rental.state is State.READY

    @property
    def needs_confirmation(self) -> bool:
        """Whether the person confirms it in a dialog first."""
        return self.runs or self.left.total > CONFIRM_ABOVE


async def preview(deps: Deps, person: Person, rental_id: str) -> ReplacePreview:
    """Return what a replacement of this rental would be. Raise as `replace`."""
    async with deps.store.read() as tx:
        rental, left = await _load(tx, deps, person, rental_id)
        return ReplacePreview(details=await details_for(tx, deps, person, rental), left=left)


async def replace(deps: Deps, person: Person, rental_id: str, *, reply_to: Destination, reason: str = "") -> Quote:
    """Look for another machine, which is rented as soon as it is found (`rent_replacement`). Return the search.

    `reason` is what the person says about a machine that still runs. Raise Mistake if the id is unknown or the
    keys don't fit into the boot script, Refused if the rental is somebody else's, if the rules no longer allow it
    or if buying is blocked, TooLate if it was replaced before or can't be, NeedsKey without a key.
    """

    async def decision(tx: Tx) -> Quote:
        rental, left = await _load(tx, deps, person, rental_id)
        now = deps.clock.now()
        await check_pace(tx, deps, person)
        await check_buying(tx)
        await check_key(tx, deps, person)
        request = await _checked_request(tx, deps, rental, left, now)
        earlier = await tx.quotes.get(rental.quote_id or "")
        quote = new_quote(
            deps,
            person,
            request,
            asked_in=earlier.asked_in if earlier is not None else rental.card_channel,
            reply_to=reply_to,
        )
        quote = changed(quote, replaces_rental=rental.id)
        await tx.quotes.add(quote)
        detail = one_line(reason, LONGEST_REASON)
        events = await tx.events.of(rental_id)
        told = said_just_now(events, person, {EventKind.NOT_WORKING}, now, detail=detail) is not None
        if reason and not told and rental.state is State.READY:
            facts = Facts(detail=detail)
            said = Event(rental_id=rental.id, kind=EventKind.NOT_WORKING, at=now, actor=person.id, facts=facts)
            after = transitions.alter(rental)
            await tx.rentals.apply(
                change(rental, after, events=(said,), rules=deps.rules, real_now=deps.clock.real())
            )
        await tx.people.note_seen(person.id, now)
        return quote

    return await transact(deps, decision)


async def _load(tx: Tx, deps: Deps, person: Person, rental_id: str) -> tuple[Rental, Remainder]:
    check_user(person, deps.rules)
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_YOURS)
    if not may_replace(person.id, rental.owner):
        raise Refused(f"Only its owner can replace {rental.id}. I changed nothing.")
    return rental, await _remainder(tx, deps, rental, deps.clock.now())


async def _remainder(tx: Tx, deps: Deps, rental: Rental, now: datetime) -> Remainder:
    """Return what a rental leaves. Raise TooLate if it may not be replaced."""
    check_replaceable(rental, now, not_as_sold=was_not_as_sold(await tx.events.of(rental.id)))
    return await remainder_now(tx, deps, rental, now)


async def remainder_now(tx: Tx, deps: Deps, rental: Rental, now: datetime) -> Remainder:
    """Return what a rental leaves that was ready, also if it may not be replaced any more."""
    spent = (await load_snapshot(tx, rental)).spent_at_most(now)
    events = await tx.events.of(rental.id)
    spent += sum(event.facts.amount or 0 for event in events if event.kind is EventKind.NOT_REPLACED)
    return remainder_of(rental, spent, now, deps.rules)


async def _checked_request(tx: Tx, deps: Deps, rental: Rental, left: Remainder, now: datetime) -> Request:
    """Return the request for the rental that takes this one's place. Raise Refused or Mistake if the rules don't
    allow it any more."""
    request = replacing_request(rental, left, now)
    check_size(request, deps.rules)
    check_setup(request.setup, deps.rules)
    await check_boot_script(tx, deps, rental.owner, request.teammates, request, reader=rental.owner)
    return request


async def rent_replacement(deps: Deps, quote: Quote) -> Rental | None:
    """Rent the first offer of a quote that fits into what its rental left, without a new approval. A machine that
    still runs is destroyed once the new one is bought; that one then comes from another vendor.

    Return the rental that takes the place, also if an earlier click made it. Return None if no offer fits. Raise
    Refused, Mistake or TooLate if the rules don't allow it any more, or if it can't be replaced any more.
    """

    async def decision(tx: Tx) -> Rental | None:
        # Read usage first, as `renting.rent_offer` does: it takes the spending lock.
        usage = await tx.rentals.usage(quote.owner, without=quote.replaces_rental)
        rental = await tx.rentals.get(quote.replaces_rental or "")
        person = await tx.people.get(quote.owner, EVER)
        if rental is None or person is None:
            return None
        if rental.replaced_by is not None:
            return await tx.rentals.get(rental.replaced_by)
        rental, left = await _load(tx, deps, person, rental.id)
        now = deps.clock.now()
        await check_buying(tx)
        await check_key(tx, deps, person)
        request = await _checked_request(tx, deps, rental, left, now)
        if rental.state is State.READY:
            request = changed(request, without_vendor=rental.vendor)
        answers = await tx.probe_answers.of_vendors([offer.vendor for offer in quote.offers])
        fitting = [
            offer
            for offer in quote.offers
            if offer.expires_at > now and fits(offer, request) and fits_model(offer.gpu, left.gpu)
        ]
        offers = with_needed_script(fitting, request, request.teammates, answers)
        if not offers:
            return None
        team_left = check_usage(offers[0].rate, usage.person_rentals, usage.team_rate, deps.rules)
        for offer in offers:
            envelope = propose_replacement(offer, request, left, team_left, deps.rules)
            if envelope is None:
                continue
            new = transitions.new_rental(
                changed(quote, request=shortened(request, envelope.lease)),
                offer,
                rental_id=await free_id(tx),
                card_channel=rental.card_channel,
                envelope=envelope,
                waiting=None,
                now=now,
                replaces=rental,
            )
            await _take_place(tx, deps, rental, new)
            # The quote stays due: if the process dies before its answer is queued, the next search queues it.
            await tx.quotes.save(changed(quote, rental_id=new.id, due_at=quote.created_at))
            return new
        return None

    return await transact(deps, decision)


async def _take_place(tx: Tx, deps: Deps, rental: Rental, new: Rental) -> None:
    now, real_now = deps.clock.now(), deps.clock.real()
    facts = Facts(name=new.id, why=Why.VENDOR_TOOK_IT if rental.lost else None)
    replaced = Event(rental_id=rental.id, kind=EventKind.REPLACED, at=now, actor=new.owner, facts=facts)
    started = Event(
        rental_id=new.id,
        kind=EventKind.STARTED,
        at=now,
        actor=new.owner,
        facts=changed(envelope_facts(new), name=rental.id),
    )
    after = replacements.replace(rental, new.id, now)
    await tx.rentals.apply(change(rental, after, events=(replaced,), rules=deps.rules, real_now=real_now))
    events = (started, *await let_in(tx, new, new.teammates, now))
    await tx.rentals.apply(change(None, new, events=events, rules=deps.rules, real_now=real_now))
