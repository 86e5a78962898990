"""Asking for offers, and renting one: what commands, buttons and dialogs have in common."""

from __future__ import annotations

from bot.errors import DuplicateRental
from bot.lifecycle.service import previews, queries, quoting, renting
from bot.model.base import changed
from bot.model.quote import Quote
from bot.model.request import Request
from handlers.directory.channels import is_direct
from handlers.ids import NO_VALUE, FormValue, OfferValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.parsing.request_text import request_text
from handlers.parsing.until import example_end
from handlers.views import modals, offers, replies


async def ask(
    context: Context,
    interaction: UserInteraction,
    request: Request,
    *,
    rent_now: bool = False,
    earlier: Quote | None = None,
) -> Outcome:
    """Start a search, which sends its offers to the `response_url`. `earlier` is the search that it repeats or
    changes."""
    asked_in = _asked_in(interaction, earlier)
    await context.people.look_up(request.teammates)
    await quoting.ask(
        context.deps,
        interaction.person,
        request,
        asked_in=asked_in,
        direct=is_direct(asked_in),
        reply_url=interaction.reply_url,
        rent_now=rent_now,
        replaces=interaction.ephemeral,
        changes=earlier.changes if earlier else None,
    )
    return None


async def ask_last_again(context: Context, interaction: UserInteraction) -> Outcome:
    """Start a search for the person's last request. Reply only if that named an end which no longer stands."""
    last = await previews.last_request(context.deps, interaction.person)
    await ask(context, interaction, last.request)
    if not last.end_dropped:
        return None
    again = request_text(changed(last.request, note=""), default_lease=last.request.lease)
    end = example_end(context.deps.clock.now(), interaction.person.tz)
    return Reply(content=replies.end_dropped(last.request, f"/gpu get {again} until {end}"))


def open_form(
    context: Context,
    interaction: UserInteraction,
    *,
    earlier: Quote | None = None,
    value: FormValue = NO_VALUE,
) -> Outcome:
    """Open the request form, filled in from `earlier` if there is one. `value` is what the request changes.

    Raise Refused if this person may not ask in this channel, MarketAway if the catalogue isn't known yet.
    """
    asked_in = _asked_in(interaction, earlier)
    quoting.check_may_ask(context.deps, interaction.person, asked_in, direct=is_direct(asked_in))
    request = earlier.request if earlier else None
    return OpenModal(
        modal=modals.form(
            context.known_catalog(),
            rules=context.deps.rules,
            now=context.deps.clock.now(),
            zone=interaction.person.tz,
            request=request,
            value=value,
        )
    )


def _asked_in(interaction: UserInteraction, earlier: Quote | None) -> str:
    """Return the channel that the request is for. A later search keeps the channel of the earlier one, also if its
    button is elsewhere."""
    return earlier.asked_in if earlier else interaction.channel


async def rent(context: Context, interaction: UserInteraction, value: OfferValue, *, another: bool) -> Outcome:
    """Rent an offer, or open the dialog that confirms it if it can cost much."""
    preview = await previews.rent_to_confirm(context.deps, interaction.person, value.quote_id, value.offer_id)
    if preview is not None:
        now = context.deps.clock.now()
        modal = modals.rent_confirm(preview.quote, preview.choice, rules=context.deps.rules, now=now)
        return OpenModal(modal=modal, another=another)
    return await rent_confirmed(context, interaction, value, another=another)


async def rent_confirmed(
    context: Context, interaction: UserInteraction, value: OfferValue, *, another: bool
) -> Outcome:
    """Rent an offer, or ask for approval. If this person rents the same already and `another` is not set, only ask
    whether they want another one."""
    try:
        rental = await renting.rent(
            context.deps, interaction.person, value.quote_id, value.offer_id, another=another
        )
    except DuplicateRental as existing:
        details = await queries.show(context.deps, interaction.person, existing.rental_id)
        return Reply(content=offers.rents_already(details.rental, value.quote_id, value.offer_id))
    without_key = await queries.teammates_without_key(context.deps, rental)
    asked = await queries.asked_about(context.deps, rental)
    return Reply(content=replies.rented(rental, asked=asked, without_key=without_key), replaces_original=True)
