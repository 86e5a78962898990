"""Waiting for an offer, and renting at a later time.

A quote is a search that is stored together with its offers. It is also a waitlist entry if its `waits_for` is set.
Some entries only notify their owner once an offer fits. Other entries rent the offer immediately. Each entry of
the second kind has a rental that waits in state `queued`. bot/lifecycle/loops/waitlist.py searches for the offers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Action, By, Direct
from bot.lifecycle.actions.queries import own_quote, people_asked
from bot.lifecycle.actions.renting import load_limits
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.deps import Deps, free_id
from bot.lifecycle.money.budgets import reach_of_waitlist_entry, room_for
from bot.lifecycle.people.back_to_approval import pending_decision, terms_facts
from bot.lifecycle.people.deciders import deciders
from bot.lifecycle.people.teammates import check_key, check_startup_script, let_in
from bot.lifecycle.people.undecided import end_request
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState, WaitlistEntry
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import UNBOUGHT, State
from bot.model.summary import DearerRent, PeopleAsked, Proposal, WaitingView, WaitPreview
from bot.model.text import plural
from bot.policy.buying.budgets import Room, budgets_now, rules_of_project
from bot.policy.buying.spending import (
    Limits,
    check_size,
    check_total,
    needs_confirmation,
    over_total,
    with_price_of_total,
    within_budgets,
)
from bot.policy.buying.waiting import ceiling, new_waitlist_entry, search_id, shared_query, still_waits
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user, is_owner, may_destroy
from bot.policy.team.rules import Rules
from bot.policy.use.keeping import with_kept
from bot.policy.use.leases import check_time_left, counted_from
from store.db import Tx

_HIGHEST = Decimal(10_000)
"""The limit for prices that people type, in USD per GPU-hour. Only lower prices are accepted.

Sums of higher prices might exceed the largest number that the store can hold.
"""

# --- notifications


class TellMe(Direct[Quote, Quote], id="tell_me"):
    """Notify the person once the search finds an offer (button "Tell me when there's an offer").

    By default, the search stays on the waitlist for the duration `waiting.longest`. The person is only notified
    during their working hours, which the policy key `hours` sets. The person can also type another duration, or
    that they want to be notified at any time.

    A second click changes nothing. If a rental was already created from the search, a copy of the search is put
    on the waitlist. That rental must be over, or waiting for its owner's decision.

    Raises:
        TooLate: The search is unknown. Also raised if a rental was created from it, and the rental is neither
            over nor waiting for its owner's decision.
        Refused: The search is somebody else's, the person isn't allowed to use the bot, they already wait for
            `waiting.per_person` machines, or the request has too many GPUs.
        Mistake: Too little time is left until the requested end, or the lease is too long.
    """

    quote_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Quote:
        check_user(person, deps.rules)
        return await own_quote(tx, person, self.quote_id)

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Quote) -> Quote:
        quote, now = plan, deps.clock.now()
        if quote.rental_id is None and quote.waits_for is not None:
            return quote
        request = with_kept(counted_from(quote.request, now), now, zone_of(person.tz, deps.rules), deps.rules)
        request = with_price_of_total(request, deps.rules)
        if quote.rental_id is not None:
            own = await _views(tx, await tx.quotes.waiting_of(person.id))
            same = [view.quote for view in own if view.rental is None and view.quote.request == request]
            if same:
                return same[0]
        quote = await _fresh(tx, deps, quote, may_wait=True)
        check_size(request, deps.rules)
        waitlist_entry = new_waitlist_entry(request, quote.waitlist_entry, now, deps.rules, rents=False)
        return await _wait(tx, deps, person, changed(quote, request=request), waitlist_entry)


class WaitAgain(TellMe, id="wait_again"):
    """Start a new waitlist entry like an earlier one, for the same length of time (button "Wait again").

    The person is notified once there is an offer. Returns the new search. Raises the same errors as `TellMe`.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Quote) -> Quote:
        if plan.rental_id is None and plan.waits_for is not None:
            return plan
        quote, now, old = await _copy(tx, deps, plan), deps.clock.now(), plan.waitlist_entry
        request = with_kept(counted_from(quote.request, now), now, zone_of(person.tz, deps.rules), deps.rules)
        request = with_price_of_total(request, deps.rules)
        if old is not None and old.since is not None:
            old = changed(old, until=now + (old.until - old.since))
        waitlist_entry = new_waitlist_entry(request, old, now, deps.rules, rents=False)
        return await _wait(tx, deps, person, changed(quote, request=request), waitlist_entry)


# --- renting later


@dataclass(frozen=True)
class WaitToJudge:
    """A waitlist entry that would rent automatically, and the headroom that budgets leave for its rental."""

    quote: Quote
    proposal: Proposal
    waitlist_entry: WaitlistEntry
    room: Room

    def terms(self, rules: Rules) -> WaitPreview:
        """Return the terms of the automatic rental. Raises OverBudget if a budget doesn't allow it."""
        rules = rules_of_project(rules, self.quote.project)
        passed = self.room.passed(self.proposal.terms.total, rules)
        found = within_budgets(self.proposal, passed, rules)
        return WaitPreview(quote=self.quote, **dict(found), until=self.waitlist_entry.until)


async def load_wait(tx: Tx, deps: Deps, quote: Quote, gpu_rate: Decimal | None = None) -> WaitToJudge | None:
    """Prepare a waitlist entry with which the bot will rent a machine automatically. Nothing is stored.

    `gpu_rate` is the highest price that the owner named, as in `RentWhenFound`. Returns None if no highest price
    is known. Raises Refused or Mistake if the request breaks a rule of the team.
    """
    now, rules = deps.clock.now(), rules_of_project(deps.rules, quote.project)
    owner = await tx.people.get(quote.owner, EVER)
    zone = zone_of(owner.tz if owner is not None else None, rules)
    request = with_kept(counted_from(quote.request, now), now, zone, rules, begins_later=True)
    request = with_price_of_total(request, rules)
    if gpu_rate is not None:
        if not (gpu_rate.is_finite() and 0 < gpu_rate < _HIGHEST):
            raise Mistake("I can't use that price. Nothing was rented. Type dollars per GPU-hour, such as 2.50.")
        request = changed(request, max_gpu_rate=gpu_rate, max_total=None)
    check_time_left(request, now)
    check_size(request, rules)
    found = ceiling(request, quote.offers, rules)
    if found is None:
        return None
    check_total(request, found.proposal.terms)
    waitlist_entry = new_waitlist_entry(request, quote.waitlist_entry, now, rules, rents=True, gpu=found.gpu)
    if request.starts_at is not None and request.starts_at - now > rules.waiting.longest:
        raise Mistake("That start time is too far in the future. Nothing was rented.")
    reach = reach_of_waitlist_entry(request, waitlist_entry, now, rules)
    room = await room_for(tx, rules, owner=quote.owner, project=quote.project, reach=reach)
    return WaitToJudge(changed(quote, request=request), found.proposal, waitlist_entry, room)


WaitFacts: TypeAlias = tuple[Quote, WaitToJudge | None, Rental | None]
"""The search, the possible waitlist entry, and the rental that an earlier click on the same button created."""


@dataclass(frozen=True)
class LaterRent:
    """The details of the rental that a click on "Rent it for me ..." or "Rent at the start time" creates."""

    quote: Quote
    terms: WaitPreview | None
    """The terms of the rental. None if no highest price is known, so that the person has to name one."""
    waitlist_entry: WaitlistEntry | None
    made: Rental | None
    """The rental that an earlier click on the same button created. None if there is none."""
    gpu_rate: Decimal | None
    """The highest price that the person named, in USD per GPU-hour."""


@dataclass(frozen=True)
class WaitBegun:
    """A rental that waits for an offer, and the saved search from which the rental was created."""

    quote: Quote
    rental: Rental
    asked: PeopleAsked | None
    """The people who have to approve the rental first. None if nobody has to."""


class RentWhenFound(Action[WaitFacts, LaterRent, WaitBegun], id="rent_for_me"):
    """Rent the requested machine as soon as an offer is cheap enough, or at the request's start time.

    The buttons are "Rent it for me ..." and "Rent at the start time". A click creates a rental. If the rental
    needs approval, it waits for an approver first. It is then in state `queued` until an offer is found. A second
    click returns the same rental.

    `gpu_rate` is the highest price that the person named, in USD per GPU-hour. If it is None, the highest price
    in the request is used. For a request with a start time, the highest price can also be computed from the
    cheapest present offer, by adding the margin `procure.dearer`.

    Raises:
        NeedsKey: The person has no SSH key.
        TooLate: The search is unknown, or another rental was already created from it.
        Mistake: No price is known, too little time is left until the requested end, the lease is too long, the
            start time is too far in the future, or the keys and the setup script don't fit into a startup script.
        Refused: The search is somebody else's, the person isn't allowed to use the bot, the person already waits
            for `waiting.per_person` machines, or the request exceeds another limit or a budget.
    """

    quote_id: str
    gpu_rate: Decimal | None = None

    async def load(self, tx: Tx, deps: Deps, person: Person) -> WaitFacts:
        check_user(person, deps.rules)
        quote = await own_quote(tx, person, self.quote_id)
        await check_key(tx, deps.rules, person)
        made = await tx.rentals.get(quote.rental_id) if quote.rental_id is not None else None
        if made is not None and made.waitlist_entry is not None and made.state in UNBOUGHT:
            return quote, None, made
        return quote, await load_wait(tx, deps, quote, self.gpu_rate), None

    def plan(self, loaded: WaitFacts, by: By) -> LaterRent:
        quote, wait, made = loaded
        if wait is None:
            return LaterRent(quote, None, None, made, self.gpu_rate)
        return LaterRent(wait.quote, wait.terms(by.rules), wait.waitlist_entry, made, self.gpu_rate)

    def confirms(self, plan: LaterRent) -> bool:
        return plan.made is None and (plan.terms is None or needs_confirmation(plan.terms.terms))

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: LaterRent) -> WaitBegun:
        if plan.made is not None:
            return WaitBegun(plan.quote, plan.made, await people_asked(tx, plan.made))
        if plan.terms is None or plan.waitlist_entry is None:
            raise Mistake(
                "I need your highest price to rent it for you. Nothing was rented.", next_step=NextStep.NAME_PRICE
            )
        quote, terms, waitlist_entry, now = (
            await _fresh(tx, deps, plan.quote),
            plan.terms,
            plan.waitlist_entry,
            deps.clock.now(),
        )
        request = quote.request
        await check_startup_script(tx, deps, person.id, request.teammates, request, reader=person.id)
        quote = await _wait(tx, deps, person, quote, waitlist_entry)
        asked = await deciders(tx, deps.rules, [person.id], now) if terms.over else None
        decision = pending_decision(asked, now, deps.rules) if asked else None
        if decision is not None:
            decision = changed(decision, expires_at=min(decision.expires_at, waitlist_entry.until))
        rental = transitions.new_rental(
            quote,
            None,
            rental_id=await free_id(tx, deps),
            card_channel=quote.card_channel or deps.rules.home_channel,
            terms=terms.terms,
            decision=decision,
            waitlist_entry=changed(waitlist_entry, budgets=budgets_now(quote.owner, quote.project, deps.rules)),
            now=now,
        )
        facts = terms_facts(rental, asked)
        facts = changed(facts, until=facts.until or waitlist_entry.until, starts_at=request.starts_at)
        kind = EventKind.QUEUED if decision is None else EventKind.ASKED
        event = Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=facts)
        events = (event, *await let_in(tx, rental, rental.teammates, now))
        await apply(tx, deps, Change(None, rental, events, within_budgets=True))
        quote = changed(quote, rental_id=rental.id)
        await tx.quotes.save(quote)
        return WaitBegun(quote, rental, await people_asked(tx, rental))


class RentDearer(Action[tuple[Rental, Offer, Limits], DearerRent, Rental], id="rent_dearer"):
    """Rent an offer that costs more than the rental's owner allowed.

    The button, such as "Rent at $23.10/h now", is part of the message "Nothing fits". The machine is bought at the
    offer's price, either immediately or after an approver's decision. The person has to confirm the purchase if it
    costs a lot, or if it costs more than the total that they typed.

    Raises TooLate if the rental is no longer on the waitlist or the price is no longer valid. Also raises the same
    errors as `Rent`.
    """

    rental_id: str
    offer_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> tuple[Rental, Offer, Limits]:
        check_user(person, deps.rules)
        rental = await tx.rentals.get(self.rental_id)
        quote = await tx.quotes.get(rental.quote_id) if rental and rental.quote_id is not None else None
        if rental is None or quote is None or rental.state is not State.QUEUED:
            raise _no_longer_waits(rental)
        if not is_owner(person.id, rental.owner):
            raise Refused("Only the owner can rent at a higher price. Nothing was changed.")
        now = deps.clock.now()
        offer = next((offer for offer in quote.offers if offer.offer_id == self.offer_id), None)
        if offer is None or offer.expires_at <= now:
            raise TooLate("This price is no longer valid. Nothing was rented, and I'll keep looking.", rental.id)
        check_time_left(rental.request, now)
        request = _without_cap(rental.request)
        limits = await load_limits(tx, deps, request, owner=rental.owner, project=rental.project, rental=rental)
        await check_key(tx, deps.rules, person)
        return rental, offer, limits

    def plan(self, loaded: tuple[Rental, Offer, Limits], by: By) -> DearerRent:
        rental, offer, limits = loaded
        choice = limits.choice(_without_cap(rental.request), offer, limits.block)
        if choice.refused is not None:
            raise choice.refused
        return DearerRent(rental=rental, **dict(choice))

    def confirms(self, plan: DearerRent) -> bool:
        return needs_confirmation(plan.terms) or over_total(plan.rental.request, plan.terms.total)

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: DearerRent) -> Rental:
        rental, offer, now = plan.rental, plan.offer, deps.clock.now()
        asked = await deciders(tx, deps.rules, [person.id], now) if plan.over else None
        decision = pending_decision(asked, now, deps.rules) if asked else None
        request = _without_cap(rental.request)
        after = transitions.rent_dearer(rental, request, offer, terms=plan.terms, decision=decision, now=now)
        facts = changed(terms_facts(after, asked), read_at=offer.read_at)
        event = Event(rental_id=rental.id, kind=EventKind.CHANGED, at=now, actor=person.id, facts=facts)
        await apply(tx, deps, Change(rental, after, (event,), within_budgets=True))
        return after


def _without_cap(request: Request) -> Request:
    return changed(request, max_gpu_rate=None, max_total=None)


# --- while it waits


class StopWaiting(Direct[tuple[Quote, Rental | None], Quote], id="stop_waiting"):
    """Leave the waitlist (button "Stop waiting"). Returns the search.

    `quote_id` is the ID of the search, or of the rental that waits for an offer of this search. If there is such a
    rental, it ends as withdrawn, and no money stays reserved for it.

    Raises Refused if the person isn't allowed to remove this entry from the waitlist. Raises TooLate if the entry
    is no longer on the waitlist, for example because the machine has just been rented.
    """

    quote_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> tuple[Quote, Rental | None]:
        rental = await tx.rentals.get(self.quote_id)
        quote = await tx.quotes.get(rental.quote_id or "" if rental is not None else self.quote_id)
        if quote is None:
            raise TooLate("This waitlist entry no longer exists. Nothing was changed.")
        if rental is None and quote.rental_id is not None:
            rental = await tx.rentals.get(quote.rental_id)
        if not may_destroy(person, rental.owner if rental is not None else quote.owner, deps.rules):
            raise Refused("This waitlist entry belongs to someone else. Nothing was changed.")
        if quote.waits_for is None or (rental is not None and rental.state not in UNBOUGHT):
            raise _no_longer_waits(rental)
        return quote, rental

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: tuple[Quote, Rental | None]) -> Quote:
        quote, rental = plan
        if rental is not None:
            await end_request(tx, deps, rental, State.WITHDRAWN, by=person.id)
        quote = changed(quote, state=QuoteState.NONE, waits_for=None)
        await tx.quotes.save(quote)
        return quote


class WaitAtAnyTime(Direct[tuple[Quote, Rental | None], WaitingView], id="any_time"):
    """Search for offers outside the person's working hours, too (button "Any time").

    Returns the search. If a rental waits for an offer of this search, also returns the rental.

    Raises:
        TooLate: The search is no longer on the waitlist for an offer.
        Refused: The search is somebody else's, or the person isn't allowed to use the bot.
    """

    quote_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> tuple[Quote, Rental | None]:
        check_user(person, deps.rules)
        quote = await own_quote(tx, person, self.quote_id)
        return quote, await tx.rentals.get(quote.rental_id) if quote.rental_id is not None else None

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: tuple[Quote, Rental | None]) -> WaitingView:
        quote, rental = plan
        search = quote.waits_for
        if search is None or quote.waitlist_entry is None or (rental is not None and rental.state not in UNBOUGHT):
            raise _no_longer_waits(rental)
        quote = changed(quote, waitlist_entry=changed(quote.waitlist_entry, any_time=True))
        await tx.quotes.save(quote)
        if rental is not None and rental.waitlist_entry is not None:
            after = transitions.alter(rental, waitlist_entry=changed(rental.waitlist_entry, any_time=True))
            rental = await apply(tx, deps, Change(rental, after))
        await tx.searches.open(search, shared_query(quote.request), deps.clock.now())
        return WaitingView(quote=quote, rental=rental)


async def waiting_of(deps: Deps, person: Person) -> list[WaitingView]:
    """Return a person's waitlist entries, in the order in which they began to wait."""
    async with deps.store.read() as tx:
        return await _views(tx, await tx.quotes.waiting_of(person.id))


async def starting(deps: Deps, person: Person) -> list[WaitingView]:
    """Return everyone's waitlist entries that have a start time, earliest first.

    Raises Refused if the person isn't allowed to use the bot.
    """
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        found = await _views(tx, await tx.quotes.waiting())
    starts = [
        (view.quote.request.starts_at, view.quote.id, view) for view in found if view.quote.request.starts_at
    ]
    return [view for _, _, view in sorted(starts, key=lambda one: one[:2])]


# --- checks


async def _fresh(tx: Tx, deps: Deps, quote: Quote, *, may_wait: bool = False) -> Quote:
    """Return the quote. If a rental was already created from the quote, return a copy of the quote instead.

    Raises TooLate if that rental isn't over. If `may_wait` is set, a rental that waits for its owner's decision is
    accepted, too.
    """
    rental = await tx.rentals.get(quote.rental_id) if quote.rental_id is not None else None
    if rental is None:
        return quote
    if not (rental.state.over or (may_wait and rental.owner_decides)):
        raise TooLate(f"This search was already used to rent {rental.id}. Nothing was changed.", rental.id)
    return await _copy(tx, deps, quote)


async def _copy(tx: Tx, deps: Deps, quote: Quote) -> Quote:
    """Store a new quote for the same request, without offers and without a rental."""
    copy = changed(
        quote,
        id=deps.new_id(12),
        state=QuoteState.NONE,
        offers=(),
        nearby=(),
        rental_id=None,
        changes=None,
        replaces_rental=None,
        clicked_offer=None,
        waits_for=None,
        created_at=deps.clock.now(),
        due_at=None,
    )
    await tx.quotes.add(copy)
    return copy


async def _wait(tx: Tx, deps: Deps, person: Person, quote: Quote, waitlist_entry: WaitlistEntry) -> Quote:
    """Put a quote on the waitlist, so that the bot searches the market for it from now on.

    Raises Refused if the person already waits for `waiting.per_person` machines. Those of programs don't count.
    """
    most = deps.rules.waiting.per_person
    views = await _views(tx, await tx.quotes.waiting_of(person.id))
    count = sum(view.quote.id != quote.id and view.quote.token_id is None for view in views)
    if count >= most:
        raise Refused(
            f"You're already waiting for {plural(count, 'machine')}, and your team's limit is {most} per person.",
            next_step=NextStep.STOP_WAITING,
        )
    query, now = shared_query(quote.request), deps.clock.now()
    quote = changed(
        quote,
        state=QuoteState.WAITING,
        waitlist_entry=waitlist_entry,
        waits_for=search_id(query),
        rent_now=False,
        changes=None,
        clicked_offer=None,
        due_at=None,
    )
    await tx.quotes.save(quote)
    await tx.searches.open(search_id(query), query, now)
    return quote


async def _views(tx: Tx, quotes: Iterable[Quote]) -> list[WaitingView]:
    quotes = list(quotes)
    rentals = await tx.rentals.get_many({quote.rental_id for quote in quotes if quote.rental_id is not None})
    views = []
    for quote in quotes:
        rental = rentals.get(quote.rental_id or "")
        if still_waits(quote, rental) and (rental is None or rental.state in UNBOUGHT):
            views.append(WaitingView(quote=quote, rental=rental))
    names = await tx.people.names({view.owner for view in views})
    named = [changed(view, owner_name=names.get(view.owner, view.owner)) for view in views]
    return sorted(named, key=lambda view: (view.since, view.quote.id))


def _no_longer_waits(rental: Rental | None) -> TooLate:
    if rental is None:
        return TooLate("Your request is no longer on the waitlist. Nothing was changed.")
    return TooLate(f"The request {rental.id} is no longer on the waitlist. Nothing was changed.", rental.id)
