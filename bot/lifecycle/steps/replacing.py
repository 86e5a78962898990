"""Rents a replacement for another machine as soon as a search has found offers."""

from __future__ import annotations

from datetime import datetime

from bot.errors import OverBudget, Refused
from bot.lifecycle.changes import lease_changes, transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps, free_id, known_rental
from bot.lifecycle.money.budgets import passed_by
from bot.lifecycle.money.buying_blocks import check_buying
from bot.lifecycle.people.back_to_approval import pending_decision, terms_facts
from bot.lifecycle.people.deciders import Deciders, deciders
from bot.lifecycle.people.teammates import check_key, check_startup_script, let_in, with_startup_script
from bot.model.attempt import Why
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import PlaceFacts
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import Remainder
from bot.policy.access.startup_script import check_setup
from bot.policy.buying.budgets import say_passed
from bot.policy.buying.offers import fits
from bot.policy.buying.replacing import (
    check_replaceable,
    had_gpu_mismatch,
    propose_replacement,
    remainder_of,
    replacing_request,
    shortened,
)
from bot.policy.buying.spending import (
    NOT_RENTED,
    always_needs_approval,
    check_size,
    check_usage,
    may_substitute,
)
from bot.policy.team.roles import check_user, is_owner
from bot.policy.use.probing import wants_probe
from store.db import Tx


async def load_replaceable(tx: Tx, deps: Deps, person: Person, rental_id: str) -> tuple[Rental, Remainder]:
    """Return a rental that can be replaced now, with the time and budget that remain.

    Raises:
        Mistake: The ID is unknown.
        Refused: The rental belongs to somebody else.
        TooLate: The rental has already been replaced, or can't be replaced now (see `check_replaceable`).
    """
    check_user(person, deps.rules)
    rental = await known_rental(tx, rental_id)
    if not is_owner(person.id, rental.owner):
        raise Refused(f"Only its owner can replace {rental.id}. Nothing was changed.")
    now = deps.clock.now()
    check_replaceable(rental, now, gpu_mismatch=had_gpu_mismatch(await tx.events.of(rental.id)))
    return rental, await remainder_now(tx, deps, rental, now)


async def remainder_now(tx: Tx, deps: Deps, rental: Rental, now: datetime) -> Remainder:
    """Return the time and budget that a rental leaves for its replacement.

    The rental must have been ready at some time. The result doesn't depend on whether it can still be replaced.
    """
    spent = (await load_snapshot(tx, rental)).spent_at_most(now)
    events = await tx.events.of(rental.id)
    spent += sum(facts.amount or 0 for facts in facts_in(events, PlaceFacts))
    return remainder_of(rental, spent, now, deps.rules)


async def checked_request(tx: Tx, deps: Deps, rental: Rental, left: Remainder, now: datetime) -> Request:
    """Return the request for the rental that replaces this one.

    Raises Refused or Mistake if the rules no longer allow the request.
    """
    request = replacing_request(rental, left, now)
    if not wants_probe(request, deps.rules):
        # The old machine was to end when its jobs are done, which requires monitoring. The rules may have switched
        # monitoring off since then. In that case, the new machine ends at the latest end of the lease.
        request = changed(request, until_done=False)
    check_size(request, deps.rules)
    check_setup(request.setup, deps.rules)
    await check_startup_script(tx, deps, rental.owner, request.teammates, request, reader=rental.owner)
    return request


async def rent_replacement(tx: Tx, deps: Deps, quote: Quote) -> Rental | None:
    """Rent a quote's first offer that fits into the remaining time and budget of the rental to be replaced.

    The approval of the old machine also covers the new one. If the policy key `approval.always` contains such
    machines, an approver still has to decide about the replacement. If the old machine is still running, the
    new one comes from another vendor, and the old one is destroyed once the new one has been bought.

    Returns the replacement, or None if no offer fits. If an earlier click has already created the replacement,
    the existing replacement is returned. Raises Refused, Mistake or TooLate if the rules no longer allow the
    replacement, or if the old rental can no longer be replaced.
    """
    rental = await tx.rentals.get(quote.replaces_rental or "")
    person = await tx.people.get(quote.owner, EVER)
    if rental is None or person is None:
        return None
    if rental.replaced_by is not None:
        return await tx.rentals.get(rental.replaced_by)
    rental, left = await load_replaceable(tx, deps, person, rental.id)
    now = deps.clock.now()
    await check_buying(tx)
    await check_key(tx, deps.rules, person)
    request = await checked_request(tx, deps, rental, left, now)
    if rental.state is State.READY:
        request = changed(request, without_vendor=rental.vendor)
    fitting = [
        offer
        for offer in quote.offers
        if offer.expires_at > now and fits(offer, request) and may_substitute(offer.gpu, left.gpu, deps.rules)
    ]
    offers = await with_startup_script(tx, fitting, request, request.teammates)
    if not offers:
        return None
    usage = await tx.rentals.usage(quote.owner, without=quote.replaces_rental)
    team_left = check_usage(offers[0].rate, usage, deps.rules)
    asked = None
    if always_needs_approval(left.gpu, request.count, deps.rules):
        asked = await deciders(tx, deps.rules, [person.id], now)
    for offer in offers:
        terms = propose_replacement(offer, request, left, team_left, deps.rules)
        if terms is None:
            continue
        new = transitions.new_rental(
            changed(quote, request=shortened(request, terms)),
            offer,
            rental_id=await free_id(tx, deps),
            card_channel=rental.card_channel,
            terms=terms,
            decision=pending_decision(asked, now, deps.rules) if asked is not None else None,
            now=now,
            replaces=rental,
        )
        await _take_place(tx, deps, rental, new, offer=offer, asked=asked)
        # Leave the search for offers scheduled until its answer is stored. If the process dies before that, the
        # search is repeated after the next start.
        await tx.quotes.save(changed(quote, rental_id=new.id, due_at=quote.created_at))
        return new
    return None


async def _take_place(
    tx: Tx, deps: Deps, rental: Rental, new: Rental, *, offer: Offer, asked: Deciders | None
) -> None:
    now = deps.clock.now()
    facts = PlaceFacts(name=new.id, why=Why.VENDOR_TOOK_IT if rental.lost else None)
    replaced = Event(rental_id=rental.id, kind=EventKind.REPLACED, at=now, actor=new.owner, facts=facts)
    started = Event(
        rental_id=new.id,
        kind=EventKind.STARTED if asked is None else EventKind.ASKED,
        at=now,
        actor=new.owner,
        facts=changed(terms_facts(new, asked), name=rental.id, read_at=None if asked is None else offer.read_at),
    )
    await apply(tx, deps, Change(rental, lease_changes.note_replaced(rental, new.id, now), (replaced,)))
    passed = await passed_by(tx, deps.rules, new, now)
    if passed:
        raise OverBudget(say_passed(passed[0]), instead=NOT_RENTED)
    events = (started, *await let_in(tx, new, new.teammates, now))
    await apply(tx, deps, Change(None, new, events))
