"""Waiting for a machine, and renting at a later time: what its buttons and dialogs do."""

from __future__ import annotations

from decimal import Decimal

from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.action import Confirmation
from bot.lifecycle.actions.waiting import LaterRent, WaitBegun
from bot.model.quote import Quote
from bot.model.summary import WaitingView
from handlers.actions.calling import carry_out, does, on
from handlers.ids import Action, Callback, QuotePriceValue, QuoteValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, Reply, UserInteraction
from handlers.messages import waiting as views
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import Reader
from handlers.typed.form import InvalidForm, read_cap


def _waits(quote: Quote, reader: Reader) -> Rendered:
    return views.waits(WaitingView(quote=quote), reader)


tell = does(waiting.TellMe, _waits, replaces_original=True)
wait_again = does(waiting.WaitAgain, _waits)
any_time = does(waiting.WaitAtAnyTime, views.waits, replaces_original=True)
stop = does(
    waiting.StopWaiting,
    lambda quote, _: views.stopped(quote),
    replaces_original=True,
    unless_shown=True,
)
rent_dearer = does(waiting.RentDearer, dialog=lambda wanted, reader: views.dearer_confirm(wanted.plan, reader))


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


ON = (
    on(Action.TELL_ME, tell),
    on(Action.RENT_FOR_ME, rent),
    on(Action.RENT_THEN, rent),
    on(Action.STOP_WAITING, stop),
    on(Action.WAIT_AGAIN, wait_again),
    on(Action.ANY_TIME, any_time),
    on(Action.RENT_DEARER, rent_dearer),
    on(Callback.HIGHEST_PRICE, rent_up_to),
    on(Callback.RENT_FOR_ME, rent),
    on(Callback.RENT_DEARER, rent_dearer),
)
