"""Queries of programs with a token: its own rentals, the current rentals of its owner, and offers.

Programs can't find out about other people's rentals: an error never says whether such a rental exists.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.errors import UnknownRental
from bot.lifecycle.actions.callers import Caller
from bot.lifecycle.actions.queries import people_asked
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.actions.renting import load_limits
from bot.lifecycle.changes.snapshot import RentalSnapshot, load_many
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.token_use import rentals_of, use_of
from bot.model.base import changed
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import EndedFacts, NotAllowedFacts
from bot.model.money import Micros, cost_at_most
from bot.model.offer import Offer
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import ProgramView
from bot.model.token import Program, Token, TokenTerms, TokenUse
from bot.policy.buying.programs import check_request, refusal_words
from bot.policy.buying.spending import billed_span, check_size, with_price_of_total
from bot.policy.team.hours import zone_of
from bot.policy.team.token_terms import beyond, rules_of_token
from bot.policy.use.keeping import with_kept
from bot.policy.use.leases import counted_from
from store.db import Tx

_WITH_DETAIL = (EventKind.DENIED, EventKind.ENDED, EventKind.NOT_ALLOWED_NOW)
"""The kinds of events that contain the reason for a rental's state."""


def terms_of(token: Token) -> TokenTerms:
    if token.terms is None:
        raise ValueError(f"{token.id} works without terms")
    return token.terms


async def rental_for(deps: Deps, caller: Caller, rental_id: str) -> ProgramView:
    """Return a rental that a token is allowed to see: its own, and the current ones of its owner.

    Raises UnknownRental.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None or not _may_see(caller, rental):
            raise UnknownRental
        return (await _views(tx, deps, caller, [rental]))[0]


async def rentals_for(deps: Deps, caller: Caller, key: str | None = None) -> list[ProgramView]:
    """Return the current rentals of a token's owner, oldest first, including those of the token.

    If `key` is given, return only the token's rental with this idempotency key, even if it is over. The list is
    empty if there is none.
    """
    async with deps.store.read() as tx:
        if key is not None:
            found = await tx.rentals.of_key(caller.token.id, key)
            return await _views(tx, deps, caller, [] if found is None or not _is_own(caller, found) else [found])
        return await _views(tx, deps, caller, await tx.rentals.live(caller.person.id))


async def equal_rental_for(deps: Deps, caller: Caller, hashes: Set[str]) -> ProgramView | None:
    """Return the token's current rental for an equal request, see `equal_rental`. None if there is none."""
    async with deps.store.read() as tx:
        found = await equal_rental(tx, caller.token, hashes)
        return None if found is None else (await _views(tx, deps, caller, [found]))[0]


async def equal_rental(tx: Tx, token: Token, hashes: Set[str]) -> Rental | None:
    """Return a token's current rental whose request had one of these hashes, for a request without a key.

    `hashes` are the values of `Program.fingerprint` and `Program.reuse_fingerprint` for the new request. None if
    there is no such rental, or if it is ending.
    """
    current = [one for one in await rentals_of(tx, token) if one.program is not None and not one.being_destroyed]
    return next((one for one in current if _hash_for_reuse(one.program) in hashes), None)


def _hash_for_reuse(program: Program | None) -> str | None:
    return None if program is None else program.reuse_fingerprint or program.fingerprint


def _is_own(caller: Caller, rental: Rental) -> bool:
    """Return whether a rental was made with the token, and still belongs to the token's owner."""
    return rental.token_id == caller.token.id and rental.owner == caller.person.id


def _may_see(caller: Caller, rental: Rental) -> bool:
    return _is_own(caller, rental) or (rental.owner == caller.person.id and not rental.state.over)


async def own_rental(tx: Tx, caller: Caller, rental_id: str) -> Rental:
    """Return a rental that a token is allowed to change. Raises UnknownRental."""
    rental = await tx.rentals.get(rental_id)
    if rental is None or not _is_own(caller, rental):
        raise UnknownRental
    return rental


async def rental_for_webhook(deps: Deps, rental_id: str) -> ProgramView:
    """Return a rental as receivers of webhooks see it, without the machine's address.

    If a program rented the machine, receivers see what this program sees. If a person rented it, or if it has
    another owner by now, receivers see what programs with other tokens of its owner see.

    Raises ValueError if there is no such rental. This would be a bug, because rentals are never removed.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise ValueError(f"there is no rental {rental_id}")
        token = await tx.tokens.get(rental.token_id) if rental.token_id is not None else None
        name = (await tx.people.names([rental.owner])).get(rental.owner, rental.owner)
        if token is not None and token.owner != rental.owner:
            token = None
        snapshots = await load_many(tx, [rental_id])
        events = await tx.events.of_many([rental_id], _WITH_DETAIL)
        return await _view(
            *(tx, deps, changed(rental, host=None, port=None), snapshots[rental_id], events.get(rental_id, [])),
            token=token,
            owner_name=name,
            use=await use_of(tx, token, deps.clock.now()) if token is not None else TokenUse(),
            own=token is not None,
        )


async def _views(tx: Tx, deps: Deps, caller: Caller, rentals: list[Rental]) -> list[ProgramView]:
    if not rentals:
        return []
    use = await use_of(tx, caller.token, deps.clock.now())
    snapshots = await load_many(tx, [rental.id for rental in rentals])
    events = await tx.events.of_many([rental.id for rental in rentals], _WITH_DETAIL)
    return [
        await _view(
            *(tx, deps, rental, snapshots[rental.id], events.get(rental.id, [])),
            token=caller.token,
            owner_name=caller.person.name,
            use=use,
            own=_is_own(caller, rental),
        )
        for rental in rentals
    ]


async def _view(
    tx: Tx,
    deps: Deps,
    rental: Rental,
    snapshot: RentalSnapshot,
    events: Sequence[Event],
    *,
    token: Token | None,
    owner_name: str,
    use: TokenUse,
    own: bool,
) -> ProgramView:
    usual = await tx.rentals.median_time_to_ready(rental.vendor, rental.model) if rental.vendor else None
    asked = await people_asked(tx, rental)
    name = rental.program.token_name if rental.program is not None else None
    return ProgramView(
        rental=rental,
        token=token,
        token_name=owner_name if name is None else f"{name} ({owner_name})",
        use=use,
        spent=snapshot.spent(deps.clock.now()),
        usual=None if usual is None else timedelta(seconds=round(usual)),
        deciders=asked.names if asked is not None else (),
        asked_at=asked.asked_at if asked is not None else None,
        detail=_detail(rental, events) if own else "",
        own=own,
    )


def _detail(rental: Rental, events: Sequence[Event]) -> str:
    """Return the reason for the present state of a rental. Empty if no event has one."""
    if rental.state.over:
        ends = [event for event in events if event.kind in {EventKind.DENIED, EventKind.ENDED}]
        return next((one.detail for one in reversed(facts_in(ends, EndedFacts)) if one.detail), "")
    if rental.state is State.QUEUED:
        return next((one.detail for one in reversed(facts_in(events, NotAllowedFacts)) if one.detail), "")
    return ""


@dataclass(frozen=True)
class ProgramOffer:
    """An offer of the marketplace, as a program sees it."""

    offer: Offer
    at_most: Micros
    """The most that the whole lease can cost at this price."""
    reason: str = ""
    """The reason why the token can't rent this offer by itself. Empty if it can."""


async def offers_for(deps: Deps, prices: Prices, caller: Caller, request: Request) -> list[ProgramOffer]:
    """Return the offers that match a request now, cheapest first. Nothing is stored or reserved.

    Equal requests within a minute share one query to the market.

    Raises:
        Mistake: A value of the request is wrong.
        Refused: The request has too many GPUs.
        MarketAway: The market hasn't responded in time.
    """
    token, person, now = caller.token, caller.person, deps.clock.now()
    terms = terms_of(token)
    check_request(request, terms)
    request = with_kept(counted_from(request, now), now, zone_of(person.tz, deps.rules), deps.rules)
    request = with_price_of_total(request, deps.rules)
    check_size(request, deps.rules)
    offers = await prices.offers(request)
    async with deps.store.read() as tx:
        use, rentals = await use_of(tx, token, now), await rentals_of(tx, token)
        limits = await load_limits(tx, deps, request, owner=person.id, project=terms.project)
    limits = replace(limits, rules=rules_of_token(limits.rules, terms, use))
    longest = billed_span(request.longest, request.kept, deps.rules)
    found = []
    for offer in offers:
        at_most = cost_at_most(offer.rate, longest)
        exceeded = beyond(
            *(token, person.name, use, request),
            now=now,
            rules=deps.rules,
            rentals=rentals,
            gpu=offer.gpu,
            rate=offer.rate,
            total=at_most,
        )
        choice = limits.choice(request, offer, limits.block)
        reason = f"{exceeded.reason} {exceeded.next_step}" if exceeded is not None else ""
        if not reason and choice.refused is not None:
            reason = refusal_words(choice.refused, person.name)
        if not reason and choice.passed:
            reason = "A budget has too little left, so an approver is asked first."
        found.append(ProgramOffer(offer, at_most, reason))
    return found
