"""What each dialog does when it is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.errors import Mistake
from bot.lifecycle.service import choosing
from bot.model.quote import Quote
from handlers import doing, keys
from handlers.boundary import Handler
from handlers.context import Context
from handlers.form import Wrong, read_form, read_hours
from handlers.ids import Callback, EndValue, Field, OfferValue, QuoteValue, RentalValue, VersionValue, callback_of
from handlers.visit import FieldErrors, Outcome, Visit


async def key(context: Context, visit: Visit) -> Outcome:
    """A refusal shows beside the input; it never repeats what was typed."""
    return await keys.save(context, visit, visit.inputs.get(Field.KEY_LINE, ""))


async def form(context: Context, visit: Visit) -> Outcome:
    """A new search, one that was changed, or a request that waits and was changed."""
    try:
        request = read_form(visit.inputs, doing.known_catalog(context), context.desk.rules)
    except Wrong as wrong:
        return FieldErrors(errors=wrong.errors)
    return await doing.ask(context, visit, request, like=await _like(context, visit))


async def _like(context: Context, visit: Visit) -> Quote | None:
    if not visit.value:
        return None
    if ":" not in visit.value:
        quote_id = QuoteValue.decode(visit.value).quote_id
        return await choosing.to_ask_again(context.desk, visit.person, quote_id)
    rental_id = VersionValue.decode(visit.value).rental_id
    quote = await choosing.to_change(context.desk, visit.person, rental_id)
    return quote.model_copy(update={"changes": rental_id})


async def rent_confirm(context: Context, visit: Visit) -> Outcome:
    return await doing.rent_confirmed(context, visit, OfferValue.decode(visit.value), another=visit.another)


async def approve_confirm(context: Context, visit: Visit) -> Outcome:
    return await doing.approve_confirmed(context, visit, VersionValue.decode(visit.value))


async def extend(context: Context, visit: Visit) -> Outcome:
    value = EndValue.decode(visit.value)
    try:
        span = read_hours(visit.inputs)
    except Wrong as wrong:
        return FieldErrors(errors=wrong.errors)
    return await doing.extend(context, visit, value.rental_id, span, shown_end=value.shown_end)


async def destroy_confirm(context: Context, visit: Visit) -> Outcome:
    return await doing.destroy_confirmed(context, visit, RentalValue.decode(visit.value).rental_id)


async def notice(_: Context, __: Visit) -> Outcome:
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


async def submitted(context: Context, visit: Visit) -> Outcome:
    """Whatever was submitted. Raises Mistake for a dialog of an older version."""
    return await HANDLERS[callback_of(visit.name)](context, visit)
