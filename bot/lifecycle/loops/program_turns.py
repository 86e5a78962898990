"""Rents an offer for the waiting rental of a program, asks an approver about it, or ends the rental.

This is the part of the waitlist's loop (waitlist.py) for the rentals of programs. An offer's price is known only
now, so the terms of the token and all other rules are checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bot.errors import GpubotError, Mistake, Refused, TooLate
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.buying_blocks import check_buying
from bot.lifecycle.money.token_use import use_of
from bot.lifecycle.people.back_to_approval import ask_again, budgets_to_ask_about
from bot.lifecycle.people.teammates import check_key, check_startup_script
from bot.model.attempt import Why
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind
from bot.model.facts import OfferFacts
from bot.model.money import Micros, cost_at_most
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.token import Token, TokenUse
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.programs import AskApprover, EndSearch, refusal_words, terms_for_offer, turn_of_program
from bot.policy.buying.spending import billed_span, check_size, check_usage
from bot.policy.buying.waiting import Rent, Waiter
from bot.policy.team.roles import check_user
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import Beyond, beyond, rules_of_token, works
from bot.policy.use.leases import LEAST_TIME
from store.db import Tx


class _Asker(NamedTuple):
    """The rental of a program and its token, with everything that is needed to decide about an offer."""

    rental: Rental
    token: Token
    owner: Person
    use: TokenUse
    """The parts of the terms that the token's other rentals use up."""
    spent: Micros
    """The most that earlier purchases of the rental can have cost."""

    def exceeds(self, offer: Offer, rules: Rules) -> Beyond | None:
        """Return the terms of the token that an offer exceeds. None if it is within the terms.

        The end of the lease is computed from the time at which the request arrived. If the lease then begins
        later, it is shortened to end on the token's last day. Otherwise, the time that the search took could lead
        to a refusal.
        """
        request = self.rental.request
        return beyond(
            self.token,
            self.owner.name,
            self.use,
            request,
            now=self.rental.created_at,
            rules=rules,
            gpu=offer.gpu,
            rate=offer.rate,
            total=self.spent + cost_at_most(offer.rate, billed_span(request.longest, request.kept, rules)),
        )


class Found(NamedTuple):
    """The result of a search for a program's rental that still waits."""

    rental: Rental
    quote: Quote
    usable: Sequence[Offer]
    """The offers that the rental can use, cheapest first."""
    offers: tuple[Offer, ...]
    """All offers that haven't been rented yet. They are stored in the quote."""
    confirmed: bool
    """True if Slack has just confirmed that the owner is still in the workspace."""


async def serve(tx: Tx, deps: Deps, waiter: Waiter, found: Found) -> Offer | None:
    """Decide about the offers that were found for a program's rental, and carry the decision out.

    Returns the offer whose purchase was started, if any.

    If the rules or the terms of the token don't allow the purchase, the rental ends as refused. With `wait_for`,
    it keeps waiting instead.

    Raises Refused, Mistake or TooLate if the rental isn't allowed to rent now, but keeps waiting.
    """
    rental, now = found.rental, deps.clock.now()
    try:
        asker = await _asker(tx, rental, now)
        turn = turn_of_program(
            changed(waiter, rental=rental),
            found.usable,
            asker.token,
            lambda offer: asker.exceeds(offer, deps.rules),
            now=now,
            rules=deps.rules,
        )
        match turn:
            case Rent(offer=offer):
                return await _rent(tx, deps, asker, offer, found)
            case AskApprover(offer=offer):
                await _ask(tx, deps, rental, offer, Why.BEYOND_TERMS)
                await tx.quotes.save(changed(found.quote, offers=found.offers, nearby=()))
            case EndSearch(beyond=None):
                await _end(tx, deps, rental, State.EXPIRED, Why.NOTHING_FITTED)
            case EndSearch(beyond=exceeded) if exceeded is not None:
                await _refuse(tx, deps, rental, exceeded.words)
    except (Mistake, Refused, TooLate) as refusal:
        if waiter.waitlist_entry.once or isinstance(refusal, _TokenOver):
            await _refuse(tx, deps, rental, await _words(tx, rental, refusal))
        else:
            raise
    return None


class _TokenOver(Refused):
    """The token of a waiting rental no longer works, so that waiting is of no use."""


async def _asker(tx: Tx, rental: Rental, now: datetime) -> _Asker:
    """Load the data that decides about an offer. Raises Refused if the token no longer works."""
    token = await tx.tokens.get(rental.token_id or "")
    if token is None or token.terms is None or not works(token, now) or token.terms.until - now < LEAST_TIME:
        name = token.name if token is not None else "The token"
        raise _TokenOver(f"{name} stopped working before a machine was found. Nothing was rented.")
    owner = await tx.people.get(rental.owner, EVER) or Person(id=rental.owner, name=rental.owner)
    spent = (await load_snapshot(tx, rental)).spent_at_most(now)
    return _Asker(rental, token, owner, await use_of(tx, token, now, without=rental), spent)


async def _words(tx: Tx, rental: Rental, refusal: GpubotError) -> str:
    names = await tx.people.names([rental.owner])
    return refusal_words(refusal, names.get(rental.owner, rental.owner))


async def _rent(tx: Tx, deps: Deps, asker: _Asker, offer: Offer, found: Found) -> Offer | None:
    """Start to buy an offer, with the terms for this offer.

    Returns the offer. None if an approver is asked first because of a budget.

    Raises Refused, Mistake or TooLate if the rules don't allow the purchase now.
    """
    rental, token, owner, use, spent = asker
    now, program, entry = deps.clock.now(), rental.program, rental.waitlist_entry
    if token.terms is None or program is None:
        raise ValueError(f"{rental.id} has no token with terms")
    check_user(owner, deps.rules)
    await check_buying(tx)
    check_size(rental.request, deps.rules)
    usage = await tx.rentals.usage(rental.owner, without=rental.id)
    team_rate_left = check_usage(offer.rate, usage, deps.rules, owner.name)
    await check_key(tx, deps.rules, owner, program)
    await check_startup_script(
        *(tx, deps, rental.owner, rental.teammates, rental.request),
        reader=rental.owner,
        first=program.ssh_public_key,
    )
    rules = rules_of_token(rules_of_project(deps.rules, rental.project), token.terms, use)
    proposal = terms_for_offer(rental, offer, rules, spent=spent, team_rate_left=team_rate_left)
    after = transitions.buy_for_program(rental, offer, proposal.terms, token.terms.until, now)
    if await budgets_to_ask_about(tx, rental, after, now, deps.rules, owner=owner.name):
        await _ask(tx, deps, rental, offer, Why.OVER_BUDGET)
        return None
    facts = OfferFacts(
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        rate=offer.rate,
        read_at=offer.read_at,
        since=entry.since if entry is not None else None,
        owner_unconfirmed=None if found.confirmed else True,
    )
    event = Event(rental_id=rental.id, kind=EventKind.OFFER_FITS, at=now, facts=facts)
    await apply(tx, deps, Change(rental, after, (event,)))
    await tx.quotes.save(changed(found.quote, state=QuoteState.FOUND, offers=found.offers, nearby=()))
    return offer


async def _ask(tx: Tx, deps: Deps, rental: Rental, offer: Offer, why: Why) -> None:
    """Ask an approver about an offer.

    After the approval, another search looks for an offer within the approved terms.
    """
    snapshot = await load_snapshot(tx, rental)
    asked = await ask_again(tx, snapshot, why, now=deps.clock.now(), rules=deps.rules, offer=offer)
    await apply(tx, deps, Change(rental, asked.rental, asked.events))


async def _refuse(tx: Tx, deps: Deps, rental: Rental, reason: str) -> None:
    await tx.tokens.note_refusal(rental.token_id or "", reason)
    await _end(tx, deps, rental, State.FAILED, Why.NOT_ALLOWED, reason=reason)


async def _end(tx: Tx, deps: Deps, rental: Rental, end: State, why: Why, *, reason: str = "") -> None:
    after, event = (await load_snapshot(tx, rental)).finished(end, deps.clock.now(), why=why)
    event = changed(event, facts=changed(event.facts, detail=reason or None))
    await apply(tx, deps, Change(rental, after, (event,)))
