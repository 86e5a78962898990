"""Buttons and dialogs for waiting for a machine, and for renting at a later time."""

from __future__ import annotations

from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.action import Confirmation
from bot.lifecycle.actions.waiting import LaterRent, WaitBegun
from bot.model.quote import Quote
from bot.model.summary import WaitingView
from handlers.actions.calling import does, on
from handlers.ids import Action, Callback, QuotePriceValue, QuoteValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction
from handlers.messages import waiting as views
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.format import Reader
from handlers.typed.form import read_cap


def _waits(quote: Quote, reader: Reader) -> Rendered:
    return views.waits(WaitingView(quote=quote), reader)


def _begun(begun: WaitBegun, reader: Reader) -> Rendered:
    return views.waits(WaitingView(quote=begun.quote, rental=begun.rental), reader, begun.asked)


def _rent_dialog(wanted: Confirmation[LaterRent], reader: Reader) -> Modal:
    """Return the dialog in which the person allows the bot to rent a machine for them later.

    If the request has no highest price, return the dialog that asks for a highest price instead.
    """
    plan = wanted.plan
    if plan.terms is None:
        return views.highest_price(plan.quote, reader)
    return views.rent_for_me_confirm(plan.terms, plan.gpu_rate, reader)


rent = does(waiting.RentWhenFound, _begun, dialog=_rent_dialog, replaces_original=True)
rent_dearer = does(waiting.RentDearer, dialog=lambda wanted, reader: views.dearer_confirm(wanted.plan, reader))
stop = does(waiting.StopWaiting, lambda quote, _: views.stopped(quote), replaces_original=True, unless_shown=True)


async def rent_up_to(context: Context, interaction: UserInteraction, value: QuoteValue) -> Outcome:
    """Let the bot rent a machine as soon as there is a suitable offer.

    The highest price per GPU-hour is the one that the person typed in the dialog.
    """
    priced = QuotePriceValue(quote_id=value.quote_id, gpu_rate=read_cap(interaction.inputs))
    return await rent(context, interaction, priced)


ON = (
    on(Action.TELL_ME, does(waiting.TellMe, _waits, replaces_original=True)),
    on(Action.RENT_FOR_ME, rent),
    on(Action.RENT_THEN, rent),
    on(Action.STOP_WAITING, stop),
    on(Action.WAIT_AGAIN, does(waiting.WaitAgain, _waits)),
    on(Action.ANY_TIME, does(waiting.WaitAtAnyTime, views.waits, replaces_original=True)),
    on(Action.RENT_DEARER, rent_dearer),
    on(Callback.HIGHEST_PRICE, rent_up_to),
    on(Callback.RENT_FOR_ME, rent),
    on(Callback.RENT_DEARER, rent_dearer),
)
