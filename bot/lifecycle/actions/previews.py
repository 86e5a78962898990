"""Previews for people who are about to decide: offers, requests that wait, and the facts of confirmation
dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from bot.errors import BuyingBlock, BuyingBlocked, GpubotError, Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.deciding import check_may_decide, load_approvable, load_deniable
from bot.lifecycle.actions.ending import end_after_script, load_destroyable
from bot.lifecycle.actions.giving import idle_machines
from bot.lifecycle.actions.leasing import load_extendable
from bot.lifecycle.actions.queries import details_for, people_asked
from bot.lifecycle.actions.waiting import preview_of as preview_of_wait
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import reach_of_rent, room_for
from bot.lifecycle.money.buying_blocks import buying_blocked, is_blocked_by
from bot.lifecycle.people.deciders import requesters_of, rules_now
from bot.lifecycle.people.teammates import names_of, people_without_key, with_people_added_since
from bot.lifecycle.steps.replacing import remainder_now
from bot.model.base import EVER, Frozen, changed
from bot.model.event import DECISIONS, Event, newest_asked
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import OfferChoice, QuoteView, RentalDetails, WaitPreview
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.fewer_hours import FewerHours, lengths_to_choose, shortened
from bot.policy.buying.offers import nearest_first, one_for_each_vendor
from bot.policy.buying.spending import ONLY_APPROVERS, needs_confirmation, offer_choice, recommended
from bot.policy.team.roles import check_user, is_owner, sees_money
from bot.policy.use.leases import too_little_time, without_past_end
from bot.policy.use.probing import needs_script, runs_scripts
from bot.policy.use.two_ends import kept_until, last_moment
from store.db import Tx

# --- offers


class RentPreview(Frozen):
    """An offer that a person is about to rent, and its quote."""

    quote: Quote
    choice: OfferChoice


class RequestView(Frozen):
    """The newest version of a request or an extension."""

    details: RentalDetails
    asked: Event
    """The event that asked for it."""


async def quote_view(tx: Tx, deps: Deps, quote: Quote, *, most: int, each_region: bool = False) -> QuoteView:
    """Return a quote as its owner reads it, with at most `most` offers. The caller has checked that only the
    quote's owner gets the answer.

    Of equal offers, those nearest to the owner come first. A vendor has one for each GPU and price, or with
    `each_region` all of them.
    """
    teammates = quote.request.teammates
    without_key = await names_of(tx, await people_without_key(tx, teammates))
    if quote.rental_id is not None:
        rental = await tx.rentals.get(quote.rental_id)
        if rental is not None:
            asked = await people_asked(tx, rental)
            return QuoteView(quote=quote, rental=rental, asked=asked, without_key=without_key)
    to_replace = await tx.rentals.get(quote.replaces_rental) if quote.replaces_rental is not None else None
    idle = await idle_machines(tx, deps, quote)
    if quote.state is QuoteState.UNANSWERED:
        refused = await is_blocked_by(tx, BuyingBlock.UNAUTHORIZED)
        return QuoteView(quote=quote, idle=idle, token_refused=refused, to_replace=to_replace)
    wait, wait_refused = await _wait(tx, deps, quote)
    if quote.state is QuoteState.NONE:
        return QuoteView(quote=quote, idle=idle, to_replace=to_replace, wait=wait, wait_refused=wait_refused)
    block = await buying_blocked(tx)
    owner = await tx.people.get(quote.owner, EVER)
    got_ready = await tx.rentals.got_ready({(offer.vendor, offer.gpu) for offer in quote.offers})
    offers = nearest_first(quote.offers, got_ready, owner.tz if owner is not None else None)
    shown = ([(offer, 0) for offer in offers] if each_region else one_for_each_vendor(offers))[:most]
    choices = await _choices(tx, deps, quote, [offer for offer, _ in shown], block)
    choices = [changed(choice, other_regions=others) for choice, (_, others) in zip(choices, shown, strict=True)]
    to_change = await tx.rentals.get(quote.changes) if quote.changes is not None else None
    return QuoteView(
        quote=quote,
        idle=idle,
        choices=await _with_usual_time(tx, choices),
        asked_in=await tx.people.channel(quote.asked_in, EVER),
        to_replace=to_replace,
        left=await remainder_now(tx, deps, to_replace, deps.clock.now()) if to_replace is not None else None,
        still_waiting=to_change.request if to_change is not None and to_change.decision is not None else None,
        teammates=await names_of(tx, teammates),
        without_key=without_key,
        wait=wait,
        wait_refused=wait_refused,
    )


async def _wait(tx: Tx, deps: Deps, quote: Quote) -> tuple[WaitPreview | None, GpubotError | None]:
    """Return what an automatic rent would allow, or why there can be none. Return neither if no highest price is
    known, or if the quote's answer has no button that waits."""
    may_wait = quote.changes is None and quote.replaces_rental is None
    if not may_wait or not (quote.state is QuoteState.NONE or quote.wish or quote.request.starts_at):
        return None, None
    try:
        return await preview_of_wait(tx, deps, quote), None
    except (Refused, Mistake, TooLate) as refused:
        return None, refused.with_traceback(None)


async def offers_of_quote(deps: Deps, person: Person, quote_id: str, *, most: int) -> QuoteView:
    """Return a person's own quote with its offers in each region. Raise as `quote_to_ask_again`."""
    async with deps.store.read() as tx:
        quote = await _own_quote(tx, person, quote_id)
        return await quote_view(tx, deps, quote, most=most, each_region=True)


async def _choices(
    tx: Tx, deps: Deps, quote: Quote, offers: Sequence[Offer], block: BuyingBlocked | None
) -> list[OfferChoice]:
    usage = await tx.rentals.usage(quote.owner, without=quote.changes)
    spent = await _spent_on(tx, quote.changes, deps.clock.now())
    answers = await tx.probe_answers.of_vendors([offer.vendor for offer in offers])
    rules = rules_of_project(deps.rules, quote.project)
    to_change = await tx.rentals.get(quote.changes) if quote.changes is not None else None
    now = deps.clock.now()
    reach = reach_of_rent(quote.request.longest, now, rules)
    room = await room_for(tx, rules, owner=quote.owner, project=quote.project, reach=reach, rental=to_change)
    needs = needs_script(quote.request, quote.request.teammates)
    got_ready = await tx.rentals.got_ready({(offer.vendor, offer.gpu) for offer in offers})
    choices = []
    for offer in offers:
        choice = offer_choice(
            offer,
            quote.request,
            rules,
            usage=usage,
            room=room,
            spent=spent,
            block=block,
        )
        runs = runs_scripts(answers.get(offer.vendor))
        luck = got_ready.get((offer.vendor, offer.gpu))
        choices.append(changed(choice, got_ready=luck, runs_script=runs, lacks_script=needs and not runs))
    return choices


async def _spent_on(tx: Tx, rental_id: str | None, now: datetime) -> Micros:
    """Return the most that earlier attempts have cost, if a quote would change the request of this rental. The new
    envelope's total includes that cost."""
    rental = await tx.rentals.get(rental_id) if rental_id is not None else None
    return 0 if rental is None else (await load_snapshot(tx, rental)).spent_at_most(now)


async def _with_usual_time(tx: Tx, choices: Sequence[OfferChoice]) -> tuple[OfferChoice, ...]:
    """Add to the recommended offer how long such machines usually take."""
    best = recommended(choices)
    seconds = None if best is None else await tx.rentals.median_time_to_ready(best.offer.vendor, best.offer.gpu)
    if seconds is None:
        return tuple(choices)
    usual = timedelta(seconds=round(seconds))
    return tuple(changed(choice, usual=usual) if choice is best else choice for choice in choices)


async def rent_to_confirm(deps: Deps, person: Person, quote_id: str, offer_id: str) -> RentPreview | None:
    """Return the offer if renting it needs a confirmation dialog.

    Return None if it is cheap enough to rent at once, or if it cannot be rented, for example without a key;
    `renting.rent` then raises the reason. Raise as `quote_to_ask_again`.
    """
    async with deps.store.read() as tx:
        quote = await _own_quote(tx, person, quote_id)
        has_key = bool(await tx.people.keys(person.id))
        return await preview_of(tx, deps, quote, offer_id) if has_key else None


async def preview_of(tx: Tx, deps: Deps, quote: Quote, offer_id: str) -> RentPreview | None:
    """Return an offer of a quote if renting it needs a confirmation dialog. Return None if it needs none, or if
    the offer can no longer be rented."""
    offer = next((offer for offer in quote.offers if offer.offer_id == offer_id), None)
    now = deps.clock.now()
    if offer is None or offer.expires_at <= now or quote.rental_id is not None:
        return None
    if too_little_time(quote.request, now):
        return None
    # Ignore whether buying is blocked: the block may end while the dialog is open.
    (choice,) = await _choices(tx, deps, quote, [offer], block=None)
    if choice.refused is not None or not needs_confirmation(choice.envelope):
        return None
    return RentPreview(quote=quote, choice=choice)


# --- asking again


async def quote_to_ask_again(deps: Deps, person: Person, quote_id: str) -> Quote:
    """Return a person's own quote as `quote_of_today` does, for a new search with the same or a similar request.

    Raise TooLate if the quote is unknown, Refused if it is somebody else's.
    """
    async with deps.store.read() as tx:
        return await quote_of_today(tx, await _own_quote(tx, person, quote_id))


async def quote_of_today(tx: Tx, quote: Quote) -> Quote:
    """Return a quote that changes a request, brought up to date: with the teammates who were added since, or for a
    new rental if the request is over. Return any other quote unchanged."""
    rental = await tx.rentals.get(quote.changes) if quote.changes is not None else None
    if rental is None:
        return quote
    if rental.state.over:
        return changed(quote, changes=None)
    return changed(quote, request=await with_people_added_since(tx, quote, rental))


class LastRequest(Frozen):
    """A person's last request, to look for fresh offers for it."""

    request: Request
    end_dropped: bool
    """The request named an end that has passed or is near, so it is for the usual length instead."""


async def last_request(deps: Deps, person: Person) -> LastRequest:
    """Return a person's last request. Raise Refused if they may not use the bot, Mistake if they made none."""
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        quote = await tx.quotes.newest(person.id)
    if quote is None:
        raise Mistake("I know no request of yours.", next_step=NextStep.RENT_ONE)
    now = deps.clock.now()
    request = without_past_end(quote.request, now, deps.rules)
    return LastRequest(request=request, end_dropped=too_little_time(quote.request, now))


async def _own_quote(tx: Tx, person: Person, quote_id: str) -> Quote:
    quote = await tx.quotes.get(quote_id)
    if quote is None:
        raise _unknown_search()
    if not is_owner(person.id, quote.owner):
        raise Refused("That is somebody else's search.", next_step=NextStep.ASK_FOR_YOUR_OWN)
    return quote


def _unknown_search() -> TooLate:
    """Return the error for a click on a search that the store no longer has."""
    return TooLate("I don't know this search any more. Nothing was rented.", next_step=NextStep.ASK_AGAIN)


async def nearby_request(deps: Deps, person: Person, quote_id: str, index: int) -> tuple[Quote, Request]:
    """Return a person's own quote and the similar request at `index`.

    Raise as `quote_to_ask_again`, and TooLate if there is no such request.
    """
    quote = await quote_to_ask_again(deps, person, quote_id)
    if index >= len(quote.nearby):
        raise _unknown_search()
    return quote, changed(quote.nearby[index].request, teammates=quote.request.teammates)


async def request_until(deps: Deps, person: Person, quote_id: str, first: datetime) -> tuple[Quote, Request]:
    """Return a person's own quote, and its request with another first end, within the last one that was asked for.

    Raise as `quote_to_ask_again`, and TooLate if that end is after the last one.
    """
    quote = await quote_to_ask_again(deps, person, quote_id)
    if first > last_moment(quote.request, quote.created_at):
        raise _unknown_search()
    return quote, kept_until(quote.request, first, quote.created_at)


async def request_for(deps: Deps, person: Person, quote_id: str, lease: timedelta) -> tuple[Quote, Request]:
    """Return a person's own quote, and its request with one end, after `lease`. Raise as `quote_to_ask_again`."""
    quote = await quote_to_ask_again(deps, person, quote_id)
    start = quote.request.starts_at
    return quote, changed(quote.request, lease=lease, until=start + lease if start else None, up_to=None)


async def request_with_price_for_all(deps: Deps, person: Person, quote_id: str) -> tuple[Quote, Request]:
    """Return a person's own quote, and its request with the highest price divided by the number of GPUs. Raise as
    `quote_to_ask_again`."""
    quote = await quote_to_ask_again(deps, person, quote_id)
    rate = quote.request.max_gpu_rate
    each = None if rate is None else (rate / quote.request.count).quantize(Decimal("0.0001"), rounding=ROUND_FLOOR)
    return quote, changed(quote.request, max_gpu_rate=each, cap_for_each_or_all=False)


async def quote_to_change(deps: Deps, person: Person, rental_id: str) -> Quote:
    """Return the quote of a request that waits, to change it. Its request has all teammates of the rental, also
    those who were added later.

    Raise Refused if the person may not change it, TooLate if it no longer waits. Raise Mistake if it waits for an
    offer or a start time too.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        quote = await tx.quotes.get(rental.quote_id) if rental and rental.quote_id else None
    if rental is not None and not is_owner(person.id, rental.owner):
        raise Refused("Only who asked can change this request. I changed nothing.")
    if rental is None or quote is None or rental.state is not State.AWAITING_APPROVAL:
        raise TooLate("It no longer waits, so there is nothing to change.", rental.id if rental else None)
    if quote.wish is not None and quote.wish.rents:
        words = "A request that also waits for a machine can't be changed."
        raise Mistake(words, next_step=NextStep.WITHDRAW_AND_ASK_AGAIN)
    return changed(quote, request=changed(quote.request, teammates=rental.teammates))


# --- decisions


async def approval_to_confirm(deps: Deps, person: Person, rental_id: str, version: int) -> RentalDetails | None:
    """Return the rental if the person's approval of version `version` needs a confirmation dialog.

    Return None if its total is low enough to approve it at once. Return None too if the person can't approve it or
    too little time is left until its end; `deciding.approve` then raises the reason.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        envelope = rental.undecided_envelope if rental else None
        if rental is None or envelope is None or envelope.version != version or not needs_confirmation(envelope):
            return None
        if rental.decision is not None and too_little_time(rental.request, deps.clock.now()):
            return None
        try:
            check_may_decide(person, rental, await rules_now(tx, deps.rules, requesters_of(rental)))
        except Refused:
            return None
        return await details_for(tx, deps, person, rental)


async def fewer_hours_to_choose(
    deps: Deps, person: Person, rental_id: str, version: int
) -> tuple[RentalDetails, list[FewerHours]]:
    """Return a rental, and the shorter leases for which this person may approve version `version`, the longest
    first: none if what waits is too short for fewer hours. Raise Refused, RequestChanged
    and TooLate as `deciding.approve`."""
    async with deps.store.read() as tx:
        rental, _ = await load_approvable(tx, deps, person, rental_id, version)
        now = deps.clock.now()
        spent = (await load_snapshot(tx, rental)).spent_at_most(now)
        choices = [
            shortened(rental, length, spent=spent, now=now, rules=deps.rules)
            for length in lengths_to_choose(rental, now)
        ]
        return await details_for(tx, deps, person, rental), choices


async def request_to_deny(deps: Deps, person: Person, rental_id: str, version: int) -> RentalDetails:
    """Return a rental for a dialog in which the person denies version `version`. Raise as `deciding.deny`."""
    async with deps.store.read() as tx:
        rental = await load_deniable(tx, deps, person, rental_id, version)
        return await details_for(tx, deps, person, rental)


async def newest_request(deps: Deps, person: Person, rental_id: str) -> RequestView:
    """Return the newest version of a request, for a person who clicked on an older one.

    Raise Refused if they may not see its cost, TooLate if the request is unknown.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise TooLate("I don't know this request any more.")
        if not sees_money(person, rental.owner, deps.rules):
            raise Refused(ONLY_APPROVERS)
        details = await details_for(tx, deps, person, rental)
    asked = newest_asked(details.events, DECISIONS)
    if asked is None:
        raise TooLate("I don't know this request any more.")
    return RequestView(details=details, asked=asked)


async def rental_to_extend(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """Return a rental that this person may extend now. Raise as `load_extendable`."""
    async with deps.store.read() as tx:
        return await details_for(tx, deps, person, await load_extendable(tx, deps, person, rental_id))


class DestroyPreview(NamedTuple):
    """A rental that a person is about to destroy, as they may see it."""

    details: RentalDetails
    script_for: timedelta | None
    """How long its machine runs on at most if its `/root/on-ending.sh` runs first. None if that can't run."""


async def rental_to_destroy(deps: Deps, person: Person, rental_id: str) -> DestroyPreview:
    """Return a rental that this person may destroy now. Raise as `ending.destroy`."""
    async with deps.store.read() as tx:
        rental = await load_destroyable(tx, deps, person, rental_id)
        ends_at = await end_after_script(tx, deps, rental)
        script_for = None if ends_at is None else ends_at - deps.clock.now()
        return DestroyPreview(await details_for(tx, deps, person, rental), script_for)
