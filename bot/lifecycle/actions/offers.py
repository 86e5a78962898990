"""The results of a search, prepared for the person who started it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.errors import BuyingBlock, GpubotError, Mistake, Refused, TooLate
from bot.lifecycle.actions.giving import idle_machines
from bot.lifecycle.actions.queries import own_quote, people_asked
from bot.lifecycle.actions.renting import load_limits
from bot.lifecycle.actions.waiting import load_wait
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.buying_blocks import is_blocked_by
from bot.lifecycle.people.teammates import names_of, people_without_key
from bot.lifecycle.steps.replacing import remainder_now
from bot.model.base import EVER, changed
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Rental
from bot.model.summary import OfferChoice, QuoteView, WaitPreview
from bot.policy.buying.offers import nearest_first, one_for_each_vendor
from bot.policy.buying.spending import recommended
from bot.policy.use.probing import needs_script, runs_scripts
from store.db import Tx


async def quote_view(tx: Tx, deps: Deps, quote: Quote, *, most: int, each_region: bool = False) -> QuoteView:
    """Return a quote for display to its owner, with at most `most` offers.

    The caller has checked that only the quote's owner gets the result. Among equal offers, those nearest to the
    owner come first. If a vendor has several offers with the same GPU and price, only one of them is included.
    With `each_region`, all of these offers are included.
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
    owner = await tx.people.get(quote.owner, EVER)
    success_rates = await tx.rentals.success_rates({(offer.vendor, offer.gpu) for offer in quote.offers})
    offers = nearest_first(quote.offers, success_rates, owner.tz if owner is not None else None)
    shown = ([(offer, 0) for offer in offers] if each_region else one_for_each_vendor(offers))[:most]
    to_change = await tx.rentals.get(quote.changes) if quote.changes is not None else None
    choices = await _choices(tx, deps, quote, [offer for offer, _ in shown], to_change)
    choices = [
        changed(
            choice, other_regions=others, success_rate=success_rates.get((choice.offer.vendor, choice.offer.gpu))
        )
        for choice, (_, others) in zip(choices, shown, strict=True)
    ]
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
    """Return the terms for renting the first cheap enough offer, or the error that prevents this.

    Both are None if the request has no highest price and none can be computed, or if the quote can't be put on
    the waitlist.
    """
    may_wait = quote.changes is None and quote.replaces_rental is None
    if not may_wait or not (quote.state is QuoteState.NONE or quote.waitlist_entry or quote.request.starts_at):
        return None, None
    try:
        wait = await load_wait(tx, deps, quote)
        return None if wait is None else wait.terms(deps.rules), None
    except (Refused, Mistake, TooLate) as refused:
        return None, refused.with_traceback(None)


async def offers_of_quote(deps: Deps, person: Person, quote_id: str, *, most: int) -> QuoteView:
    """Return a person's own quote with its offers in every region. Raises the same errors as `own_quote`."""
    async with deps.store.read() as tx:
        quote = await own_quote(tx, person, quote_id)
        return await quote_view(tx, deps, quote, most=most, each_region=True)


async def _choices(
    tx: Tx, deps: Deps, quote: Quote, offers: Sequence[Offer], to_change: Rental | None
) -> list[OfferChoice]:
    limits = await load_limits(tx, deps, quote.request, owner=quote.owner, project=quote.project, rental=to_change)
    answers = await tx.probe_answers.of_vendors([offer.vendor for offer in offers])
    needs = needs_script(quote.request, quote.request.teammates)
    choices = []
    for offer in offers:
        choice = limits.choice(quote.request, offer, limits.block)
        runs = runs_scripts(answers.get(offer.vendor))
        choices.append(changed(choice, runs_script=runs, lacks_script=needs and not runs))
    return choices


async def _with_usual_time(tx: Tx, choices: Sequence[OfferChoice]) -> tuple[OfferChoice, ...]:
    best = recommended(choices)
    seconds = None if best is None else await tx.rentals.median_time_to_ready(best.offer.vendor, best.offer.gpu)
    if seconds is None:
        return tuple(choices)
    usual = timedelta(seconds=round(seconds))
    return tuple(changed(choice, usual=usual) if choice is best else choice for choice in choices)
