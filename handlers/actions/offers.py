"""Searching for offers, and renting a machine. Commands, buttons and dialogs share this code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import attrgetter

from bot.errors import DuplicateRental
from bot.lifecycle.actions import offers as found
from bot.lifecycle.actions import queries, quoting
from bot.lifecycle.actions.action import Confirmation
from bot.lifecycle.actions.renting import Rent, Rented, RentPlan
from bot.model.base import changed
from bot.model.quote import Quote, WaitlistEntry
from bot.model.request import Request
from bot.model.summary import OfferChoice
from bot.model.text import say_at_most
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.spending import over_at_price
from bot.policy.buying.waiting import typed_waitlist_entry
from handlers.actions.calling import ValueHandler, carry_out, on, shows
from handlers.directory import is_direct
from handlers.ids import (
    Action,
    Callback,
    FormValue,
    NoValue,
    OfferValue,
    QuoteValue,
    Value,
    VersionValue,
    offer_value,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages import offers, replies
from handlers.messages.offers import cost_in_dialog
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.budget_text import needs_approval
from handlers.phrases.ends import how_long_in_dialog
from handlers.phrases.format import Reader, join, per_hour
from handlers.phrases.rental_text import describe, place
from handlers.typed.draft import Get, Wait
from handlers.typed.requests import request_text
from handlers.typed.until import example_end


async def ask(
    context: Context,
    interaction: UserInteraction,
    request: Request,
    *,
    rent_now: bool = False,
    earlier: Quote | None = None,
    waitlist_entry: WaitlistEntry | None = None,
) -> Outcome:
    """Start a search, which sends its offers to the `response_url`.

    Args:
        rent_now: Rent the cheapest offer immediately if it needs no approval.
        earlier: The search that the new search repeats or changes.
        waitlist_entry: The conditions for waiting that the person typed, such as how long to wait. If None, the
            conditions of the earlier search apply.
    """
    asked_in = channel_of(interaction, earlier)
    if waitlist_entry is None and earlier is not None and earlier.waitlist_entry is not None:
        waitlist_entry = _typed_waitlist_entry(
            context, earlier.waitlist_entry.until, any_time=earlier.waitlist_entry.any_time
        )
    await context.people.look_up(request.teammates)
    action = quoting.Ask(
        request,
        asked_in=asked_in,
        direct=is_direct(asked_in),
        reply_to=interaction.reply_to,
        rent_now=rent_now,
        replaces=interaction.origin.ephemeral,
        changes=earlier.changes if earlier else None,
        waitlist_entry=waitlist_entry,
    )
    return await carry_out(context, interaction, action)


async def ask_for(
    context: Context, interaction: UserInteraction, command: Get | Wait, *, earlier: Quote | None = None
) -> Outcome:
    """Start a search for a request that was typed after `get` or `wait`, or entered in the form.

    `earlier` is the search that the new request replaces. Its conditions for waiting, such as how long to wait,
    normally don't apply to the new request. They are kept only if the earlier request is waiting for approval and
    the person typed no new ones.
    """
    waitlist_entry = None
    if earlier is not None and earlier.changes is None:
        earlier = changed(earlier, waitlist_entry=None)
    if isinstance(command, Wait):
        waitlist_entry = _typed_waitlist_entry(context, command.until, any_time=command.any_time)
    elif command.any_time:
        waitlist_entry = _typed_waitlist_entry(context, None, any_time=True)
    rent_now = isinstance(command, Get) and command.now
    return await ask(
        context, interaction, command.request, rent_now=rent_now, earlier=earlier, waitlist_entry=waitlist_entry
    )


def _typed_waitlist_entry(context: Context, until: datetime | None, *, any_time: bool) -> WaitlistEntry:
    return typed_waitlist_entry(until, context.deps.clock.now(), context.deps.rules, any_time=any_time)


async def ask_last_again(context: Context, interaction: UserInteraction) -> Outcome:
    """Repeat the search for the person's last request.

    The offers arrive in a separate message, so normally there is no reply. But the last request may ask for a
    lease until a time that has passed or is too near. In this case, the search is for a lease of the usual length,
    and the reply says so.
    """
    last = await quoting.last_request(context.deps, interaction.person)
    await ask(context, interaction, last.request)
    if not last.end_dropped:
        return None
    again = request_text(changed(last.request, note=""), default_lease=last.request.lease)
    end = example_end(context.deps.clock.now(), interaction.person.tz)
    return Reply(content=replies.end_dropped(last.request, f"/gpu get {again} until {end}"))


def searches_again(request_of: Callable[..., Request]) -> ValueHandler[Value]:
    """Return the handler of a button that searches again with a modified request.

    `request_of` returns the new request. Its arguments are the search that the button is about, and the other
    fields of the button's value.
    """

    async def handler(context: Context, interaction: UserInteraction, value: Value) -> Outcome:
        fields = dict(value)
        quote = await quoting.quote_to_ask_again(context.deps, interaction.person, fields.pop("quote_id"))
        return await ask(context, interaction, request_of(quote, **fields), earlier=quote)

    return handler


search_again = searches_again(attrgetter("request"))
show_all = shows(
    partial(found.offers_of_quote, most=offers.most_shown(everything=True)),
    partial(offers.answer, everything=True),
    replaces_original=True,
)
"""The handler that replaces the short list of offers with the complete list."""


async def changed_quote(context: Context, interaction: UserInteraction, value: FormValue) -> Quote | None:
    """Return the earlier search that a person changes with the request form, or None for a new search."""
    match value:
        case QuoteValue(quote_id=quote_id):
            return await quoting.quote_to_ask_again(context.deps, interaction.person, quote_id)
        case VersionValue(rental_id=rental_id):
            quote = await quoting.quote_to_change(context.deps, interaction.person, rental_id)
            return changed(quote, changes=rental_id)
        case NoValue():
            return None


def channel_of(interaction: UserInteraction, earlier: Quote | None) -> str:
    """Return the channel that the request is for.

    If a search repeats or changes an earlier search, it keeps the channel of the earlier search. This applies even
    if the button was clicked in another channel.
    """
    return earlier.asked_in if earlier else interaction.origin.channel


async def rent(context: Context, interaction: UserInteraction, value: OfferValue) -> Outcome:
    """Rent an offer, or request approval for it.

    If the person is already renting the same kind of machine, the reply asks whether they want a second machine.
    Nothing is rented until they have confirmed this.
    """

    def dialog(wanted: Confirmation[RentPlan], reader: Reader) -> Modal:
        plan = wanted.plan
        return rent_dialog(plan.quote, plan.choice, reader, another=plan.another)

    action = Rent(value.quote_id, value.offer_id, another=value.another)
    try:
        return await carry_out(context, interaction, action, _rented, dialog=dialog, replaces_original=True)
    except DuplicateRental as existing:
        details = await queries.show(context.deps, interaction.person, existing.rental_id)
        return Reply(content=offers.rents_already(details.rental, value.quote_id, value.offer_id))


def _rented(done: Rented, _: Reader) -> Rendered:
    return replies.rented(done.rental, asked=done.asked, without_key=done.without_key)


def rent_dialog(
    quote: Quote,
    choice: OfferChoice,
    reader: Reader,
    *,
    another: bool = False,
    first_line: str = "",
) -> Modal:
    """Return the dialog in which the person confirms an expensive rental.

    If the rental needs approval, the person confirms the request for approval instead. `first_line` is shown above
    everything else.
    """
    offer, approval = choice.offer, ""
    if choice.needs_approval:
        rules = rules_of_project(reader.rules, quote.project)
        over = over_at_price(choice.terms, rules)
        approval = join(
            needs_approval([over], rules, next(iter(choice.passed), None)),
            "Nothing is rented until someone approves.",
        )
    return blocks.modal(
        Callback.RENT_CONFIRM,
        "Ask for approval?" if choice.needs_approval else f"Rent at {per_hour(offer.rate)}?",
        blocks.alert(f"This can cost up to {say_at_most(choice.terms.total)}."),
        blocks.lines(
            first_line,
            f"{describe(choice.terms)} from {place(offer.vendor, offer.vendor_region)}, "
            f"{per_hour(offer.rate)}, {how_long_in_dialog(quote.request, reader.now)}.",
            cost_in_dialog(choice, quote, reader.rules),
            approval,
        ),
        submit="Ask" if choice.needs_approval else f"Rent from {per_hour(offer.rate)}",
        value=offer_value(quote.id, offer.offer_id, another=another),
    )


ON = (
    on(Action.RENT, rent),
    on(Action.RENT_ANOTHER, rent),
    on(Action.ALL_OFFERS, show_all),
    on(Action.REFRESH, search_again),
    on(Action.TRY_AGAIN, search_again),
    on(Action.SHOW_NEARBY, searches_again(quoting.nearby_request)),
    on(Action.KEEP_UNTIL, searches_again(quoting.request_until)),
    on(Action.FOR_HOURS, searches_again(quoting.request_for)),
    on(Action.PRICE_FOR_ALL, searches_again(quoting.request_with_price_for_all)),
    on(Callback.RENT_CONFIRM, rent),
)
