"""Waiting for a machine, and renting at a later time: what its buttons and dialogs do."""

from __future__ import annotations

from decimal import Decimal

from bot.lifecycle.actions import previews, queries, waiting
from bot.model.summary import WaitingView
from bot.policy.buying.spending import needs_confirmation
from handlers.ids import QuotePriceValue, QuoteValue, RentalOfferValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, Reply, UserInteraction
from handlers.parsing.form import InvalidForm, read_cap
from handlers.views.answers import waiting as views


async def tell(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Tell the person once an offer fits."""
    quote = await waiting.tell(context.deps, interaction.person, value.quote_id)
    content = views.waits(WaitingView(quote=quote), context.reader(interaction.person))
    return Reply(content=content, replaces_original=True)


async def wait_again(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Begin a wish like an earlier one."""
    quote = await waiting.wait_again(context.deps, interaction.person, value.quote_id)
    return Reply(content=views.waits(WaitingView(quote=quote), context.reader(interaction.person)))


async def any_time(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Look for offers outside of the person's hours too."""
    waits = await waiting.wait_at_any_time(context.deps, interaction.person, value.quote_id)
    return Reply(content=views.waits(waits, context.reader(interaction.person)), replaces_original=True)


async def stop(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Stop waiting."""
    quote = await waiting.stop(context.deps, interaction.person, value.quote_id)
    return None if interaction.origin.on_surface else Reply(content=views.stopped(quote), replaces_original=True)


async def rent_dearer(context: Context, interaction: UserInteraction, value: RentalOfferValue) -> Outcome:
    """Rent an offer that costs more than the owner allowed, or open the dialog that confirms it if it can cost
    much."""
    dearer = await waiting.dearer_to_confirm(context.deps, interaction.person, value.rental_id, value.offer_id)
    if dearer is not None:
        return OpenModal(modal=views.dearer_confirm(dearer, context.reader(interaction.person)))
    return await rent_dearer_confirmed(context, interaction, value)


async def rent_dearer_confirmed(
    context: Context, interaction: UserInteraction, value: RentalOfferValue
) -> Outcome:
    """As `rent_dearer`, after the dialog. The message that has the button is edited."""
    await waiting.rent_dearer(context.deps, interaction.person, value.rental_id, value.offer_id)
    return None


async def rent(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Rent a machine once an offer fits, or at its start. Open the dialog that confirms it if it can cost much, or
    the dialog that asks for the highest price if none is known."""
    return await _rent_or_confirm(context, interaction, value.quote_id, None)


async def rent_up_to(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """As `rent`, with the highest price per GPU that was typed in the dialog."""
    try:
        gpu_rate = read_cap(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await _rent_or_confirm(context, interaction, value.quote_id, gpu_rate)


async def _rent_or_confirm(
    context: Context, interaction: UserInteraction, quote_id: str, gpu_rate: Decimal | None
) -> Outcome:
    reader = context.reader(interaction.person)
    preview = await waiting.preview(context.deps, interaction.person, quote_id, gpu_rate=gpu_rate)
    if preview is None:
        quote = await previews.quote_to_ask_again(context.deps, interaction.person, quote_id)
        return OpenModal(modal=views.highest_price(quote, reader))
    if needs_confirmation(preview.envelope):
        return OpenModal(modal=views.rent_for_me_confirm(preview, gpu_rate, reader))
    return await _rent(context, interaction, quote_id, gpu_rate)


async def rent_confirmed(
    context: Context, interaction: UserInteraction, value: QuoteValue | QuotePriceValue
) -> Outcome:
    """As `rent`, after the dialog."""
    gpu_rate = value.gpu_rate if isinstance(value, QuotePriceValue) else None
    return await _rent(context, interaction, value.quote_id, gpu_rate)


async def _rent(
    context: Context, interaction: UserInteraction, quote_id: str, gpu_rate: Decimal | None
) -> Outcome:
    rental = await waiting.rent_when_found(context.deps, interaction.person, quote_id, gpu_rate=gpu_rate)
    # If the quote made a rental before, which is over, a copy of the quote waits.
    waits = rental.quote_id or quote_id
    quote = await previews.quote_to_ask_again(context.deps, interaction.person, waits)
    asked = await queries.asked_about(context.deps, rental)
    view = WaitingView(quote=quote, rental=rental)
    content = views.waits(view, context.reader(interaction.person), asked)
    return Reply(content=content, replaces_original=True)
