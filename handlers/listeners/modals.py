"""What each dialog does when it is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.errors import Mistake
from bot.lifecycle.service import previews
from bot.model.base import changed
from bot.model.quote import Quote
from handlers.ids import Callback, EndValue, Field, OfferValue, QuoteValue, RentalValue, VersionValue, callback_of
from handlers.listeners import keys, operations
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, Outcome, UserInteraction
from handlers.listeners.wrapper import Handler
from handlers.parsing.form import InvalidForm, read_form, read_hours


async def key(context: Context, interaction: UserInteraction) -> Outcome:
    """A refusal shows beside the input; it never repeats what was typed."""
    return await keys.save(context, interaction, interaction.inputs.get(Field.KEY_LINE, ""))


async def form(context: Context, interaction: UserInteraction) -> Outcome:
    """A new search, one that was changed, or a request that waits and was changed."""
    try:
        request = read_form(interaction.inputs, operations.known_catalog(context), context.deps.rules)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await operations.ask(context, interaction, request, like=await _like(context, interaction))


async def _like(context: Context, interaction: UserInteraction) -> Quote | None:
    if not interaction.value:
        return None
    if ":" not in interaction.value:
        quote_id = QuoteValue.decode(interaction.value).quote_id
        return await previews.quote_to_ask_again(context.deps, interaction.person, quote_id)
    rental_id = VersionValue.decode(interaction.value).rental_id
    quote = await previews.quote_to_change(context.deps, interaction.person, rental_id)
    return changed(quote, changes=rental_id)


async def rent_confirm(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.rent_confirmed(
        context, interaction, OfferValue.decode(interaction.value), another=interaction.another
    )


async def approve_confirm(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.approve_confirmed(context, interaction, VersionValue.decode(interaction.value))


async def extend(context: Context, interaction: UserInteraction) -> Outcome:
    value = EndValue.decode(interaction.value)
    try:
        span = read_hours(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await operations.extend(context, interaction, value.rental_id, span, shown_end=value.shown_end)


async def destroy_confirm(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.destroy_confirmed(
        context, interaction, RentalValue.decode(interaction.value).rental_id
    )


async def notice(_: Context, __: UserInteraction) -> Outcome:
    """A notice has no submit button, so only a forged or broken payload gets here."""
    raise Mistake("There is nothing to send off here. I changed nothing.")


HANDLERS: Mapping[Callback, Handler] = MappingProxyType(
    {
        Callback.KEY: key,
        Callback.FORM: form,
        Callback.RENT_CONFIRM: rent_confirm,
        Callback.APPROVE_CONFIRM: approve_confirm,
        Callback.EXTEND: extend,
        Callback.DESTROY_CONFIRM: destroy_confirm,
        Callback.NOTICE: notice,
    }
)


async def submitted(context: Context, interaction: UserInteraction) -> Outcome:
    """Whatever was submitted. Raises Mistake for a dialog of an older version."""
    return await HANDLERS[callback_of(interaction.name)](context, interaction)
