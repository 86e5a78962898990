"""Rents an offer, and changes a pending request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from bot.errors import BuyingBlocked, DuplicateRental, GpubotError, Mistake, NeedsKey, NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Action, By, planned
from bot.lifecycle.actions.queries import own_quote, people_asked
from bot.lifecycle.actions.quoting import new_quote, quote_of_today
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps, free_id
from bot.lifecycle.money.budgets import reach_of_rent, room_for
from bot.lifecycle.money.buying_blocks import buying_blocked
from bot.lifecycle.people.back_to_approval import pending_decision, terms_facts
from bot.lifecycle.people.deciders import Deciders, deciders
from bot.lifecycle.people.teammates import (
    check_startup_script,
    let_in,
    names_of,
    people_without_key,
    with_people_added_since,
)
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import RequestFacts
from bot.model.message import Destination
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.records import Change
from bot.model.rental import PendingDecision, Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import OfferChoice, PeopleAsked
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.spending import Limits, cheapest_other, needs_confirmation
from bot.policy.team.roles import check_user, is_owner
from bot.policy.use.leases import check_time_left
from store.db import Tx

CLICK_COUNTS_FOR = timedelta(days=1)
"""The time after a search for which a click on an offer is remembered, if the person has no SSH key yet."""


# --- limits and budgets


async def load_limits(
    tx: Tx, deps: Deps, request: Request, *, owner: str, project: str, rental: Rental | None = None
) -> Limits:
    """Load the limits and budgets that apply to a request, and the amounts that are left in them.

    `rental` is the pending rental that the request would change. None for a new rental.
    """
    rules, now = rules_of_project(deps.rules, project), deps.clock.now()
    limits = Limits(
        rules=rules,
        usage=await tx.rentals.usage(owner, without=rental.id if rental is not None else None),
        room=await room_for(
            tx,
            rules,
            owner=owner,
            project=project,
            reach=reach_of_rent(request, now, rules),
            rental=rental,
        ),
        block=await buying_blocked(tx),
    )
    if rental is None:
        return limits
    spent = (await load_snapshot(tx, rental)).spent_at_most(now)
    return replace(limits, version=rental.terms.version + 1, spent=spent)


# --- renting


@dataclass(frozen=True)
class OfferToRent:
    """An offer that a person wants to rent, and everything that the decision depends on."""

    quote: Quote
    offer: Offer
    to_change: Rental | None
    """The pending rental that the quote would change. None if the quote is for a new rental."""
    same: Rental | None
    """A rental with the same GPUs in the same region that the person already has. None if there is none."""
    limits: Limits
    has_key: bool


@dataclass(frozen=True)
class RentPlan:
    """The effect of renting an offer."""

    quote: Quote
    choice: OfferChoice
    another: bool
    """True if the person wants another rental although they already have one like it."""
    to_change: Rental | None
    has_key: bool
    problem: DuplicateRental | BuyingBlocked | None
    """The reason why the offer can't be rented at this moment. None if it can.

    The confirmation dialog opens nevertheless, because the problem can be resolved while the dialog is open.
    """


@dataclass(frozen=True)
class Rented:
    """A rental that was created or changed by renting an offer."""

    rental: Rental
    asked: PeopleAsked | None
    """The people who have to approve the rental first. None if nobody has to."""
    without_key: tuple[str, ...]
    """The names of the rental's teammates who have no SSH key."""


class Rent(Action[OfferToRent, RentPlan, Rented], id="rent"):
    """Rent an offer that a search found, or request approval for it.

    At most one rental is created from each search. If only an SSH key is missing, the offer is rented when the
    person adds a key (`rent_clicked`).

    Raises:
        NeedsKey: The person has no SSH key.
        TooLate: A rental was already created from the search, or the price is no longer valid.
        DuplicateRental: The person already rents the same machine and doesn't want `another`.
        Mistake: Too little time is left until the requested end, the lease is too long, or the keys and the setup
            script don't fit into a startup script.
        Refused: The person isn't allowed to use the bot, the request exceeds another limit or a budget, or buying
            is blocked.
    """

    quote_id: str
    offer_id: str
    another: bool = False

    async def load(self, tx: Tx, deps: Deps, person: Person) -> OfferToRent:
        check_user(person, deps.rules)
        quote = await own_quote(tx, person, self.quote_id)
        offer = _offer_of(quote, self.offer_id, deps.clock.now())
        request = quote.request
        await check_startup_script(tx, deps, quote.owner, request.teammates, request, reader=person.id)
        to_change = await _request_to_change(tx, person, quote) if quote.changes is not None else None
        same = None if self.another or to_change is not None else await _same(tx, person, request)
        return OfferToRent(
            quote=quote,
            offer=offer,
            to_change=to_change,
            same=same,
            limits=await load_limits(
                tx, deps, request, owner=quote.owner, project=quote.project, rental=to_change
            ),
            has_key=bool(await tx.people.keys(person.id)),
        )

    def plan(self, loaded: OfferToRent, by: By) -> RentPlan:
        same, block = loaded.same, loaded.limits.block
        problem = (
            block
            if same is None
            else DuplicateRental(f"You already have the same machine ({same.id}). Rent another?", same.id)
        )
        choice = loaded.limits.choice(loaded.quote.request, loaded.offer)
        if choice.refused is not None:
            raise problem or choice.refused
        return RentPlan(loaded.quote, choice, self.another, loaded.to_change, loaded.has_key, problem)

    def confirms(self, plan: RentPlan) -> bool:
        return plan.has_key and needs_confirmation(plan.choice.terms)

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: RentPlan) -> Rented | NeedsKey:
        if plan.problem is not None:
            raise plan.problem
        if not plan.has_key:
            await self._note_click(tx, deps, person, plan.quote)
            return NeedsKey(github=deps.rules.keys.github)
        now = deps.clock.now()
        asked = await deciders(tx, deps.rules, [person.id], now) if plan.choice.over else None
        decision = pending_decision(asked, now, deps.rules) if asked else None
        rental = await _rent(tx, deps, plan, asked=asked, decision=decision)
        without_key = await names_of(tx, await people_without_key(tx, rental.teammates))
        return Rented(rental, await people_asked(tx, rental), without_key)

    async def _note_click(self, tx: Tx, deps: Deps, person: Person, quote: Quote) -> None:
        """Remember that this offer is to be rented when the person adds a key. Replaces any earlier such offer."""
        for earlier in await tx.quotes.clicked(person.id, deps.clock.now() - CLICK_COUNTS_FOR):
            await tx.quotes.save(changed(earlier, clicked_offer=None, clicked_another=False))
        await tx.quotes.save(changed(quote, clicked_offer=self.offer_id, clicked_another=self.another))


def _offer_of(quote: Quote, offer_id: str, now: datetime) -> Offer:
    """Return an offer of a quote.

    Raises TooLate if the offer can't be rented any more, and Mistake if too little time is left until the
    requested end.
    """
    if quote.rental_id is not None:
        raise TooLate(
            f"These offers were already used to rent {quote.rental_id}. Nothing more was rented.", quote.rental_id
        )
    offer = next((offer for offer in quote.offers if offer.offer_id == offer_id), None)
    if offer is None:
        raise TooLate("These offers no longer exist. Nothing was rented.", next_step=NextStep.ASK_AGAIN)
    if offer.expires_at <= now:
        raise TooLate("These prices are no longer valid. Nothing was rented. Click Refresh for current prices.")
    check_time_left(quote.request, now)
    return offer


async def _request_to_change(tx: Tx, person: Person, quote: Quote) -> Rental:
    """Return the pending rental that this quote is meant to change.

    A quote is a search that is stored together with its offers. Raises Refused if the person isn't allowed to
    change the request, and TooLate if the request is no longer pending.
    """
    rental = await tx.rentals.get(quote.changes or "")
    if rental is not None and not is_owner(person.id, rental.owner):
        raise Refused(f"Only the person who asked can change the request {quote.changes}.")
    if rental is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate(
            f"The request {quote.changes} is no longer waiting for approval. Nothing was changed.", quote.changes
        )
    return rental


async def _same(tx: Tx, person: Person, request: Request) -> Rental | None:
    for rental in await tx.rentals.live(person.id):
        own = rental.request
        same = all(getattr(own, name) == getattr(request, name) for name in ("gpu", "features", "count", "region"))
        if same and rental.state is not State.DESTROYING:
            return rental
    return None


async def _rent(
    tx: Tx, deps: Deps, plan: RentPlan, *, asked: Deciders | None, decision: PendingDecision | None
) -> Rental:
    """Create the rental. If the plan changes a pending request, change that request instead."""
    quote, offer, before, now = plan.quote, plan.choice.offer, plan.to_change, deps.clock.now()
    if before is None:
        kind = EventKind.STARTED if decision is None else EventKind.ASKED
        rental = transitions.new_rental(
            quote,
            offer,
            rental_id=await free_id(tx, deps),
            card_channel=quote.card_channel or deps.rules.home_channel,
            terms=plan.choice.terms,
            decision=decision,
            now=now,
        )
    else:
        kind = EventKind.CHANGED
        quote = changed(quote, request=await with_people_added_since(tx, quote, before))
        rental = transitions.change_request(
            before, quote, offer, terms=plan.choice.terms, decision=decision, now=now
        )
    facts = _with_prices(terms_facts(rental, asked), offer, quote)
    event = Event(rental_id=rental.id, kind=kind, at=now, actor=quote.owner, facts=facts)
    added = [one for one in rental.teammates if before is None or one not in before.teammates]
    events = (event, *await let_in(tx, rental, added, now))
    await apply(tx, deps, Change(before, rental, events, within_budgets=True))
    await tx.quotes.save(changed(quote, rental_id=rental.id))
    if before is None and quote.told:
        await tx.messages.show_quote(quote.id)
    return rental


def _with_prices(facts: RequestFacts, offer: Offer, quote: Quote) -> RequestFacts:
    if facts.admins_decide is None:
        return facts
    return changed(facts, read_at=offer.read_at, other=cheapest_other(offer, quote.offers))


# --- renting the offer that a person clicked before they had an SSH key, as soon as they add a key


@dataclass(frozen=True)
class NotRented:
    """The clicked offer was not rented, because of this problem."""

    problem: GpubotError


@dataclass(frozen=True)
class SearchedAgain:
    """The price of the clicked offer was no longer valid, so a new search for the same request was started.

    The results of that search contain the current offers.
    """

    quote: Quote
    """The new search."""


ClickedOffer: TypeAlias = Rented | RentPlan | SearchedAgain | NotRented
"""The outcome of trying to rent the clicked offer.

The offer was rented, or its approval was requested. Otherwise, the person has to confirm it in a dialog first, its
price was no longer valid, or something else prevented renting it.
"""


async def rent_clicked(tx: Tx, deps: Deps, person: Person, reply_to: Destination) -> ClickedOffer | None:
    """Rent the last offer that the person clicked before they had an SSH key.

    The caller has stored the key in the same transaction. If the offer's price is no longer valid, a new search is
    started, and its results are sent to `reply_to`. Returns None if there is no such offer.
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
        action = Rent(newest.id, newest.clicked_offer, another=newest.clicked_another)
        plan = await planned(tx, deps, person, action)
        if action.confirms(plan):
            return plan
        done = await action.do(tx, deps, person, plan)
        return NotRented(done) if isinstance(done, NeedsKey) else done
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
