"""Waiting for a machine, and renting at a later time: what its buttons and dialogs do."""

from __future__ import annotations

from decimal import Decimal

from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.action import Confirmation
from bot.lifecycle.actions.waiting import LaterRent, WaitBegun
from bot.model.quote import Quote
from bot.model.summary import DearerRent, WaitingView
from handlers.actions.calling import carry_out
from handlers.ids import QuotePriceValue, QuoteValue, RentalOfferValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, Reply, UserInteraction
from handlers.typed.form import InvalidForm, read_cap
from handlers.views.answers import waiting as views


async def tell(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Tell the person once an offer fits."""
    return await _begin(context, interaction, waiting.TellMe(value.quote_id), replaces_original=True)


async def wait_again(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Begin a wish like an earlier one."""
    return await _begin(context, interaction, waiting.WaitAgain(value.quote_id), replaces_original=False)


async def _begin(
    context: Context, interaction: UserInteraction, action: waiting.TellMe, *, replaces_original: bool
) -> Outcome:
    def reply(quote: Quote) -> Outcome:
        content = views.waits(WaitingView(quote=quote), context.reader(interaction.person))
        return Reply(content=content, replaces_original=replaces_original)

    return await carry_out(context, interaction, action, reply)


async def any_time(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Look for offers outside of the person's hours too."""

    def reply(waits: WaitingView) -> Outcome:
        return Reply(content=views.waits(waits, context.reader(interaction.person)), replaces_original=True)

    return await carry_out(context, interaction, waiting.WaitAtAnyTime(value.quote_id), reply)


async def stop(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Stop waiting."""

    def reply(quote: Quote) -> Outcome:
        on_surface = interaction.origin.on_surface
        return None if on_surface else Reply(content=views.stopped(quote), replaces_original=True)

    return await carry_out(context, interaction, waiting.StopWaiting(value.quote_id), reply)


async def rent_dearer(context: Context, interaction: UserInteraction, value: RentalOfferValue) -> Outcome:
    """Rent an offer that costs more than the owner allowed. The message that has the button is edited."""

    def dialog(wanted: Confirmation[DearerRent]) -> OpenModal:
        return OpenModal(modal=views.dearer_confirm(wanted.plan, context.reader(interaction.person)))

    return await carry_out(
        context, interaction, waiting.RentDearer(value.rental_id, value.offer_id), dialog=dialog
    )


async def rent(context: Context, interaction: UserInteraction, value: QuoteValue | QuotePriceValue) -> Outcome:
    """Rent a machine once an offer fits, or at its start. If no highest price is known, the dialog asks for it."""
    gpu_rate = value.gpu_rate if isinstance(value, QuotePriceValue) else None
    return await _rent(context, interaction, value.quote_id, gpu_rate)


async def rent_up_to(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """As `rent`, with the highest price per GPU that was typed in the dialog."""
    try:
        gpu_rate = read_cap(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await _rent(context, interaction, value.quote_id, gpu_rate)


async def _rent(
    context: Context, interaction: UserInteraction, quote_id: str, gpu_rate: Decimal | None
) -> Outcome:
    reader = context.reader(interaction.person)

    def dialog(wanted: Confirmation[LaterRent]) -> OpenModal:
        plan = wanted.plan
        if plan.terms is None:
            return OpenModal(modal=views.highest_price(plan.quote, reader))
        return OpenModal(modal=views.rent_for_me_confirm(plan.terms, gpu_rate, reader))

    def reply(begun: WaitBegun) -> Outcome:
        view = WaitingView(quote=begun.quote, rental=begun.rental)
        return Reply(content=views.waits(view, reader, begun.asked), replaces_original=True)

    action = waiting.RentWhenFound(quote_id, gpu_rate)
    return await carry_out(context, interaction, action, reply, dialog=dialog)
