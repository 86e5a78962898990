"""What commands, clicks and submissions have in common: one call to the service, and what comes of it."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Changed, DuplicateExtension, DuplicateRental, MarketAway
from bot.lifecycle.service import deciding, ending, leasing, previews, queries, quoting, renting
from bot.model.offer import Catalog
from bot.model.quote import Quote
from bot.model.request import Request
from handlers.ids import OfferValue, Value, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Opens, Outcome, Reply, UserInteraction, is_direct
from handlers.views import lists, modals, offers, replies
from handlers.views.approval import approval
from handlers.views.blocks import Rendered
from handlers.views.format import Times, escape
from handlers.views.rental_text import reader_times


def known_catalog(context: Context) -> Catalog:
    """The catalogue as last read. Raises MarketAway before the first time."""
    known = context.catalog()
    if known is None:
        raise MarketAway(
            "Compute Clear hasn't told me yet what there is to rent. Nothing is rented. Try again in a minute.",
            acted=False,
        )
    return known


# --- asking


async def ask(
    context: Context,
    interaction: UserInteraction,
    request: Request,
    *,
    now: bool = False,
    like: Quote | None = None,
) -> Outcome:
    """Looks for offers, which come to the `response_url`; `like` is the search that it takes further."""
    asked_in = _asked_in(interaction, like)
    await quoting.ask(
        context.deps,
        interaction.person,
        request,
        asked_in=asked_in,
        direct=is_direct(asked_in),
        reply_url=interaction.reply_url,
        rent_now=now,
        replaces=interaction.ephemeral,
        changes=like.changes if like else None,
    )
    return None


def form(
    context: Context, interaction: UserInteraction, *, like: Quote | None = None, carries: Value | None = None
) -> Outcome:
    """The form for a request, filled in from that of `like`. Where it could not be asked it doesn't open."""
    asked_in = _asked_in(interaction, like)
    quoting.check_may_ask(context.deps, interaction.person, asked_in, direct=is_direct(asked_in))
    title = "Change the request" if isinstance(carries, VersionValue) else "Get GPUs"
    request = like.request if like else None
    return Opens(
        view=modals.form(
            known_catalog(context), rules=context.deps.rules, request=request, carries=carries, title=title
        )
    )


def _asked_in(interaction: UserInteraction, like: Quote | None) -> str:
    """The channel of a question; what takes an earlier one further is asked where that was."""
    return like.asked_in if like else interaction.channel


# --- renting


async def rent(context: Context, interaction: UserInteraction, value: OfferValue, *, another: bool) -> Outcome:
    """A click on an offer: rents it, or first asks whether to, where it can come to much."""
    preview = await previews.rent_to_confirm(context.deps, interaction.person, value.quote_id, value.offer_id)
    if preview is not None:
        view = modals.rent_confirm(preview.quote, preview.choice, rules=context.deps.rules)
        return Opens(view=view, another=another)
    return await rent_confirmed(context, interaction, value, another=another)


async def rent_confirmed(
    context: Context, interaction: UserInteraction, value: OfferValue, *, another: bool
) -> Outcome:
    """Rents, or asks for approval."""
    try:
        rental = await renting.rent(
            context.deps, interaction.person, value.quote_id, value.offer_id, another=another
        )
    except DuplicateRental as duplicate:
        details = await queries.show(context.deps, interaction.person, duplicate.rental_id)
        return Reply(said=offers.rents_already(details.rental, value.quote_id, value.offer_id))
    return Reply(said=replies.rented(rental), replaces=True)


# --- deciding


async def approve(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """A click on Approve, or on what the owner accepts alone: confirmed first where it can come to much."""
    details = await previews.approval_to_confirm(context.deps, interaction.person, value.rental_id, value.version)
    if details is not None:
        return Opens(view=modals.approve_confirm(details, rules=context.deps.rules))
    return await approve_confirmed(context, interaction, value)


async def approve_confirmed(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approves the version that was shown."""
    try:
        await deciding.approve(context.deps, interaction.person, value.rental_id, value.version)
    except Changed as change:
        return await _newer(context, interaction, value.rental_id, change)
    return None


async def deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Denies the version that was shown."""
    try:
        await deciding.deny(context.deps, interaction.person, value.rental_id, value.version)
    except Changed as change:
        return await _newer(context, interaction, value.rental_id, change)
    return None


async def _newer(context: Context, interaction: UserInteraction, rental_id: str, change: Changed) -> Outcome:
    newest = await previews.newest_request(context.deps, interaction.person, rental_id)
    current = approval(
        newest.details,
        version=newest.version,
        asked=newest.asked,
        first=False,
        rules=context.deps.rules,
        now=context.deps.clock.now(),
        zone=interaction.person.tz,
    )
    return Reply(said=replies.newer_version(escape(change.words, 300), current))


# --- leases and ends


async def extend_form(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """The dialog that asks by how much."""
    details = await previews.rental_to_extend(context.deps, interaction.person, rental_id)
    return Opens(view=modals.extend(details, rules=context.deps.rules, now=context.deps.clock.now()))


async def extend(
    context: Context,
    interaction: UserInteraction,
    rental_id: str,
    span: timedelta,
    *,
    shown_end: int | None = None,
) -> Outcome:
    """A longer lease, or the wish for one. The same command again asks whether still more is meant."""
    try:
        rental = await leasing.extend(context.deps, interaction.person, rental_id, span, shown_end=shown_end)
    except DuplicateExtension:
        details = await queries.show(context.deps, interaction.person, rental_id)
        return Reply(
            said=replies.extended_just_now(details.rental, span, _times(context, interaction), context.deps.rules)
        )
    return _unless_shown(interaction, replies.extended(rental, _times(context, interaction)))


async def keep(context: Context, interaction: UserInteraction, rental_id: str, span: timedelta) -> Outcome:
    """It is still needed."""
    rental = await leasing.keep(context.deps, interaction.person, rental_id, span)
    return _unless_shown(
        interaction, replies.still_needed(rental, _times(context, interaction), context.deps.rules)
    )


async def confirm_destroy(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """The dialog before every destroy and cancel, with what it has cost by now."""
    details = await previews.rental_to_destroy(context.deps, interaction.person, rental_id)
    return Opens(view=modals.destroy_confirm(details))


async def destroy_confirmed(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """Destroys, cancels or withdraws it."""
    rental = await ending.destroy(context.deps, interaction.person, rental_id)
    return _unless_shown(interaction, replies.ending(rental))


def _unless_shown(interaction: UserInteraction, said: Rendered) -> Outcome:
    """Nothing where what was clicked shows it by itself."""
    return None if interaction.on_surface else Reply(said=said)


def _times(context: Context, interaction: UserInteraction) -> Times:
    return reader_times(context.deps.rules, context.deps.clock.now(), interaction.person.tz)


# --- looking


async def show(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """One rental with its history."""
    details = await queries.show(context.deps, interaction.person, rental_id)
    return Reply(
        said=lists.show(
            details,
            reader=interaction.person.id,
            rules=context.deps.rules,
            now=context.deps.clock.now(),
            zone=interaction.person.tz,
        )
    )
