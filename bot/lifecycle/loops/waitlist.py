"""The loop that searches for offers for waitlist entries, and rents an offer or notifies the entry's owner.

Entries are handled in the order in which they began to wait. Entries with the same query share one search.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from typing_extensions import override

from bot.errors import BuyingBlocked, GpubotError, MarketAway, Mistake, Refused, TooLate
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps, StepDeps, transact
from bot.lifecycle.loops import program_turns
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.money.buying_blocks import check_buying, waits_for_slack
from bot.lifecycle.people.back_to_approval import ask_again, budgets_to_ask_about
from bot.lifecycle.people.teammates import check_key, check_startup_script
from bot.lifecycle.steps.polling import poll_at
from bot.model.attempt import Why
from bot.model.base import EVER, changed
from bot.model.budget import Demand
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import NotAllowedFacts, OfferFacts
from bot.model.message import MessageKind, queued, to_person
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState, SharedSearch
from bot.model.records import Change, Claimed
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.offers import likeliest_first, with_needed_script
from bot.policy.buying.spending import check_size, check_usage, needs_approver
from bot.policy.buying.waiting import (
    Rent,
    SayNothingFits,
    Tell,
    Waiter,
    in_turn,
    next_question,
    same_reason,
    still_waits,
    turn,
)
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user
from bot.policy.use.keeping import with_kept
from store.claims import DueTable
from store.db import Tx, Written

log = structlog.get_logger()

RETRY_FAILED = timedelta(minutes=1)
SHARED_AT_ONCE = 8
"""The number of shared searches that run at the same time."""
LOOK_AGAIN = timedelta(hours=1)
"""The delay before an idle search is due again.

A search is idle while none of its entries waits, but one of them may return to the waitlist. For example, the
entry's rental is being bought.
"""


@dataclass(eq=False, repr=False)
class Waitlist(DueLoop[Claimed]):
    """The loop that runs each shared search when it is due.

    A shared search is one query to the market for all waitlist entries that ask for the same machine.
    """

    name = "wishes"
    counted_as = "steps_in_flight"
    written = Written.SEARCHES
    logged_as = "wishes", "search"
    retry = RETRY_FAILED

    at_once: int = field(default=SHARED_AT_ONCE, kw_only=True)

    @override
    def rows(self, tx: Tx) -> DueTable[Claimed]:
        return tx.searches

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        await look(self.deps, row.id, claim_lasts)


async def look(deps: StepDeps, search_id: str, claim_lasts: Callable[[], bool]) -> None:
    """Run a shared search: query the market if this is due, and rent the offers or notify people of them.

    The time of the query is committed before the call, so that a restart doesn't send the same query again too
    soon. At the end, this process gives up its claim, that is, its right to work on the search.
    """
    search = await transact(deps, _begin, deps, search_id)
    if search is None:
        return
    found = False
    try:
        offers = await deps.market.offers(search.query)
    except MarketAway as away:
        log.warning("wishes.market_away", search=search_id, error=type(away).__name__)
    else:
        found = await _serve(deps, search, offers, claim_lasts)
    await transact(deps, _end, deps, search_id, found)


async def _begin(tx: Tx, deps: Deps, search_id: str) -> SharedSearch | None:
    """Remove a search's expired waitlist entries, and return the search if the market is to be queried.

    After a start, the market isn't queried until the rentals' messages have been compared with Slack, because the
    database may be a restored backup. See `waits_for_slack`.
    """
    search, now = await tx.searches.get(search_id), deps.clock.now()
    if search is None:
        return None
    waiters, others = await _load(tx, deps, search_id)
    for waiter in waiters:
        if waiter.rental is None and waiter.waitlist_entry.until <= now:
            await _notify_outcome(tx, deps, changed(waiter.quote, state=QuoteState.NONE, offers=(), nearby=()))
    at = next_question(search, waiters, now, deps.rules)
    if at is None or at > now:
        await _save(tx, deps, search, waiters, others=others)
        return None
    rentals = [waiter.rental.id for waiter in waiters if waiter.rental is not None]
    if any([await waits_for_slack(tx, deps, rental_id) for rental_id in rentals]):
        await tx.searches.save(changed(search, due_at=poll_at(now)))
        await tx.searches.release(search_id)
        return None
    search = changed(search, asked_at=now, misses=search.misses + 1)
    await tx.searches.save(search)
    return search


async def _end(tx: Tx, deps: Deps, search_id: str, found: bool) -> None:
    search = await tx.searches.get(search_id)
    if search is not None:
        waiters, others = await _load(tx, deps, search_id)
        await _save(tx, deps, changed(search, misses=0) if found else search, waiters, others=others)


async def _save(tx: Tx, deps: Deps, search: SharedSearch, waiters: Sequence[Waiter], *, others: bool) -> None:
    """Store the time at which a search is next due. Delete the search if it is no longer needed.

    A search is needed while a waitlist entry waits for its offers. `others` is True if a rental can be put back
    on the waitlist, in which case the search is needed as well. Any search is kept until `waiting.every` has
    passed since its last query, so that a new entry doesn't query the market too soon.
    """
    now = deps.clock.now()
    again = None if search.asked_at is None else search.asked_at + deps.rules.waiting.every
    due_at = next_question(search, waiters, now, deps.rules)
    if due_at is None and others:
        due_at = now + LOOK_AGAIN
    elif due_at is None and again is not None and again > now:
        due_at = again
    elif due_at is None:
        await tx.searches.drop(search.id)
        return
    ends = [waiter.waitlist_entry.until for waiter in waiters if waiter.rental is None]
    await tx.searches.save(changed(search, due_at=min([due_at, *ends])))
    await tx.searches.release(search.id)


async def _load(tx: Tx, deps: Deps, search_id: str, *, drop: bool = True) -> tuple[list[Waiter], bool]:
    """Return a search's waitlist entries, and whether the search may get more entries back later.

    An entry that is being bought can be put back on the waitlist if the purchase fails. If `drop` is True,
    entries for which this is impossible are removed from the search.
    """
    quotes = await tx.quotes.waiting_for(search_id)
    rentals = await tx.rentals.get_many({quote.rental_id for quote in quotes if quote.rental_id is not None})
    notified = await tx.events.of_many(rentals, (EventKind.NOTHING_FITS,))
    people = {quote.owner for quote in quotes} | {rental.owner for rental in rentals.values()}
    owners = {person.id: person for person in await tx.people.known(people)}
    waiters, others = [], False
    for quote in quotes:
        rental = rentals.get(quote.rental_id or "")
        owner = owners.get(quote.owner if rental is None else rental.owner)
        left = rental is None and owner is not None and owner.deactivated
        if left or not still_waits(quote, rental):
            if drop:
                await tx.quotes.save(changed(quote, waits_for=None))
        elif rental is None or rental.state is State.QUEUED:
            waiters.append(
                Waiter(
                    quote=quote,
                    rental=rental,
                    zone=zone_of(owner.tz if owner is not None else None, deps.rules),
                    attempts=tuple(await tx.rentals.attempts(rental.id)) if rental and rental.attempts else (),
                    told=bool(rental and notified[rental.id]),
                )
            )
        else:
            others = True
    return waiters, others


# --- renting for the entries of the waitlist for which an offer was found


async def _serve(
    deps: StepDeps, search: SharedSearch, offers: Collection[Offer], claim_lasts: Callable[[], bool]
) -> bool:
    """For each waitlist entry, in order, rent one of these offers or notify the entry's owner.

    Each offer is rented at most once. Returns whether an offer was rented, or somebody was notified of one.
    """
    async with deps.store.read() as tx:
        waiters, _ = await _load(tx, deps, search.id, drop=False)
        answers = await tx.probe_answers.of_vendors({offer.vendor for offer in offers})
        success_rates = await tx.rentals.success_rates({(offer.vendor, offer.gpu) for offer in offers})
    found, left = False, list(likeliest_first(offers, success_rates))
    for waiter in in_turn(waiters, deps.clock.now(), deps.rules):
        if not claim_lasts():
            break
        teammates = waiter.rental.teammates if waiter.rental is not None else waiter.request.teammates
        usable = with_needed_script(left, waiter.request, teammates, answers)
        if waiter.rental is not None and waiter.rental.program is not None:
            confirmed = bool(usable) and await deps.directory.ask_anew(waiter.owner)
            taken = await transact(deps, _serve_program, deps, waiter, usable, tuple(left), confirmed=confirmed)
            if taken is not None:
                found = True
                left.remove(taken)
            continue
        match turn(waiter, usable, deps.clock.now(), deps.rules):
            case Rent(offer=offer):
                confirmed = await deps.directory.ask_anew(waiter.owner)
                if await transact(deps, _rent, deps, waiter, offer, tuple(left), owner_confirmed=confirmed):
                    found = True
                    left.remove(offer)
            case Tell(offers=fitting):
                request = with_kept(waiter.quote.request, deps.clock.now(), waiter.zone, deps.rules)
                quote = changed(waiter.quote, state=QuoteState.FOUND, request=request, offers=fitting, nearby=())
                await transact(deps, _notify_outcome, deps, quote)
                found = True
            case SayNothingFits(cheapest=cheapest):
                await transact(deps, _notify_nothing_fits, deps, waiter, cheapest, tuple(left))
            case None:
                pass
    return found


async def _notify_outcome(tx: Tx, deps: Deps, quote: Quote) -> None:
    """End a waitlist entry, and tell the entry's owner which offers were found, if any."""
    stored = await tx.quotes.get(quote.id)
    if stored is None or stored.waits_for is None or stored.rental_id is not None:
        return
    await tx.quotes.save(changed(quote, waits_for=None, reply_to=None, replaces=False))
    message = queued(MessageKind.QUOTE, to_person(quote.owner), deps.clock.real(), quote_id=quote.id)
    await tx.messages.add(message)


async def _rent(
    tx: Tx, deps: Deps, waiter: Waiter, offer: Offer, offers: tuple[Offer, ...], *, owner_confirmed: bool
) -> bool:
    """Start to buy an offer for a waiting rental. Return whether the purchase was started.

    The purchase isn't started in these cases:

    - The rules don't allow it now. The owner is notified, once for each reason.
    - A budget was lowered after the rental had reserved its share, and is now too small. An approver is asked.
    - The rental is no longer on the waitlist.

    Args:
        offers: All offers that haven't been rented yet. They are stored in the quote.
        owner_confirmed: True if Slack has just confirmed that the owner is still in the workspace, False if Slack
            didn't respond.
    """
    found = await _load_queued(tx, waiter)
    if found is None:
        return False
    rental, quote = found
    now = deps.clock.now()
    after = transitions.buy_for_waitlist_entry(rental, offer, now)
    try:
        passed = await _check_allowed(tx, deps, rental, after)
    except (Mistake, Refused, TooLate) as refusal:
        await _note_refusal(tx, deps, rental, refusal)
        return False
    if passed:
        asked = await ask_again(tx, await load_snapshot(tx, rental), Why.OVER_BUDGET, now=now, rules=deps.rules)
        await apply(tx, deps, Change(rental, asked.rental, asked.events))
        return False
    facts = OfferFacts(
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        rate=offer.rate,
        read_at=offer.read_at,
        since=waiter.since,
        owner_unconfirmed=None if owner_confirmed else True,
    )
    event = Event(rental_id=rental.id, kind=EventKind.OFFER_FITS, at=now, facts=facts)
    await apply(tx, deps, Change(rental, after, (event,)))
    await tx.quotes.save(changed(quote, state=QuoteState.FOUND, offers=offers, nearby=()))
    return True


async def _serve_program(
    tx: Tx, deps: Deps, waiter: Waiter, usable: Sequence[Offer], offers: tuple[Offer, ...], *, confirmed: bool
) -> Offer | None:
    """Decide about the offers for a program's rental. Return the offer whose purchase was started, if any.

    Args:
        usable: The offers that the rental can use, cheapest first.
        offers: All offers that haven't been rented yet. They are stored in the quote.
        confirmed: True if Slack has just confirmed that the owner is still in the workspace.
    """
    found = await _load_queued(tx, waiter)
    if found is None:
        return None
    rental, quote = found
    if rental.program is None:
        # An admin has just given the rental another owner. The next search treats it as a person's.
        return None
    try:
        searched = program_turns.Found(rental, quote, usable, offers, confirmed)
        return await program_turns.serve(tx, deps, waiter, searched)
    except (Mistake, Refused, TooLate) as refusal:
        await _note_refusal(tx, deps, rental, refusal)
        return None


async def _load_queued(tx: Tx, waiter: Waiter) -> tuple[Rental, Quote] | None:
    """Return the current rental and quote of a waitlist entry. None if the entry must not be handled any more."""
    rental = await tx.rentals.get(waiter.rental.id) if waiter.rental is not None else None
    quote = await tx.quotes.get(waiter.quote.id)
    if rental is None or quote is None or rental.state is not State.QUEUED or not still_waits(quote, rental):
        return None
    if quote.waits_for is not None and not await tx.searches.hold(quote.waits_for):
        return None
    return rental, quote


async def _check_allowed(tx: Tx, deps: Deps, rental: Rental, after: Rental) -> tuple[Demand, ...]:
    """Check whether a waiting rental is allowed to be bought now.

    Returns the budgets that the rental would exceed. An approver has to allow each of them to be exceeded.

    The rules may have changed since the rental was put on the waitlist, and its owner may have lost the right to
    rent. Raises Refused, Mistake or TooLate if not.
    """
    owner = await tx.people.get(rental.owner, EVER) or Person(id=rental.owner, name="")
    check_user(owner, deps.rules)
    await check_buying(tx)
    check_size(rental.request, deps.rules)
    usage = await tx.rentals.usage(rental.owner, without=rental.id)
    check_usage(rental.terms.max_rate, usage, deps.rules)
    await check_key(tx, deps.rules, owner)
    await check_startup_script(tx, deps, rental.owner, rental.teammates, rental.request, reader=rental.owner)
    budgets = await budgets_to_ask_about(tx, rental, after, deps.clock.now(), deps.rules)
    rules, terms, new = rules_of_project(deps.rules, rental.project), rental.terms, after.terms
    if rental.approved_by is None and needs_approver(new.gpu, new.count, new.price, terms.total, rules):
        raise Refused("This now needs approval.")
    return budgets


async def _note_refusal(tx: Tx, deps: Deps, rental: Rental, refusal: GpubotError) -> None:
    now, kind = deps.clock.now(), EventKind.NOT_ALLOWED_NOW
    facts = NotAllowedFacts(
        detail=refusal.words, until=rental.waitlist_entry.until if rental.waitlist_entry is not None else None
    )
    if isinstance(refusal, BuyingBlocked):
        facts = changed(facts, block=refusal.block, name=refusal.by, detail=refusal.why or None)
    earlier = (await tx.events.of_many([rental.id], (kind,)))[rental.id]
    if any(_is_same_reason(one, facts) for one in facts_in(earlier, NotAllowedFacts)):
        return
    event = Event(rental_id=rental.id, kind=kind, at=now, facts=facts)
    await apply(tx, deps, Change(rental, transitions.alter(rental), (event,)))


def _is_same_reason(one: NotAllowedFacts, other: NotAllowedFacts) -> bool:
    same_block = (one.block, one.name) == (other.block, other.name)
    return same_block and same_reason(one.detail or "", other.detail or "")


async def _notify_nothing_fits(
    tx: Tx, deps: Deps, waiter: Waiter, cheapest: Offer | None, offers: tuple[Offer, ...]
) -> None:
    """Notify the owner that no offer fits at the start time, and store the available offers in the quote."""
    found = await _load_queued(tx, waiter)
    if found is None:
        return
    rental, quote = found
    facts = OfferFacts(
        rate=cheapest.rate if cheapest is not None else None,
        vendor=cheapest.vendor if cheapest is not None else None,
        offer=cheapest.offer_id if cheapest is not None else None,
        max_rate=rental.terms.max_rate,
        starts_at=rental.request.starts_at,
        until=waiter.waitlist_entry.until,
    )
    event = Event(rental_id=rental.id, kind=EventKind.NOTHING_FITS, at=deps.clock.now(), facts=facts)
    await apply(tx, deps, Change(rental, transitions.alter(rental), (event,)))
    await tx.quotes.save(changed(quote, offers=offers, nearby=()))
