"""What each button does. A button's value holds ids; what they stand for is read from the store at the click."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from bot.errors import TooLate
from bot.lifecycle.service import choosing, deciding, ending
from handlers import doing, keys
from handlers.boundary import Handler
from handlers.context import Context
from handlers.delivery.content import quote_answer
from handlers.ids import (
    Action,
    ExtendValue,
    HoursValue,
    NearbyValue,
    OfferValue,
    QuoteValue,
    RentalValue,
    VersionValue,
    action_of,
)
from handlers.visit import Outcome, Reply, Visit

# --- offers


async def rent(context: Context, visit: Visit) -> Outcome:
    return await doing.rent(context, visit, OfferValue.decode(visit.value), another=False)


async def rent_another(context: Context, visit: Visit) -> Outcome:
    return await doing.rent(context, visit, OfferValue.decode(visit.value), another=True)


async def all_offers(context: Context, visit: Visit) -> Outcome:
    """The whole list in the place of the short one."""
    value, desk = QuoteValue.decode(visit.value), context.desk
    async with desk.store.read() as tx:
        quote = await choosing.own_quote(tx, visit.person, value.quote_id)
        said = await quote_answer(tx, desk, quote, desk.clock.now(), everything=True)
    return Reply(said=said, replaces=True) if said is not None else None


async def ask_again(context: Context, visit: Visit) -> Outcome:
    """Refresh, and Try again."""
    quote = await choosing.to_ask_again(context.desk, visit.person, QuoteValue.decode(visit.value).quote_id)
    return await doing.ask(context, visit, quote.request, like=quote)


async def show_nearby(context: Context, visit: Visit) -> Outcome:
    """Looks for something close to what was asked for."""
    value = NearbyValue.decode(visit.value)
    quote = await choosing.to_ask_again(context.desk, visit.person, value.quote_id)
    if value.index >= len(quote.nearby):
        raise TooLate("I don't know this search any more. Nothing was rented. Ask again: /gpu get")
    return await doing.ask(context, visit, quote.nearby[value.index].request, like=quote)


async def change(context: Context, visit: Visit) -> Outcome:
    """The form, filled in with what was asked for."""
    value = QuoteValue.decode(visit.value)
    quote = await choosing.to_ask_again(context.desk, visit.person, value.quote_id)
    return doing.form(context, visit, like=quote, carries=value)


async def choose_from_list(context: Context, visit: Visit) -> Outcome:
    """The empty form."""
    return doing.form(context, visit)


# --- a request that waits


async def change_rental(context: Context, visit: Visit) -> Outcome:
    """The form, filled in with the request that waits."""
    value = VersionValue.decode(visit.value)
    quote = await choosing.to_change(context.desk, visit.person, value.rental_id)
    return doing.form(context, visit, like=quote, carries=value)


async def withdraw(context: Context, visit: Visit) -> Outcome:
    value = VersionValue.decode(visit.value)
    await deciding.withdraw(context.desk, visit.person, value.rental_id, value.version)
    return None


async def approve(context: Context, visit: Visit) -> Outcome:
    """Approve, and what the owner accepts alone."""
    return await doing.approve(context, visit, VersionValue.decode(visit.value))


async def deny(context: Context, visit: Visit) -> Outcome:
    return await doing.deny(context, visit, VersionValue.decode(visit.value))


# --- a machine


async def show_rental(context: Context, visit: Visit) -> Outcome:
    return await doing.show(context, visit, RentalValue.decode(visit.value).rental_id)


async def destroy(context: Context, visit: Visit) -> Outcome:
    """Destroy and Cancel: the dialog."""
    return await doing.confirm_destroy(context, visit, RentalValue.decode(visit.value).rental_id)


async def extend_form(context: Context, visit: Visit) -> Outcome:
    return await doing.extend_form(context, visit, RentalValue.decode(visit.value).rental_id)


async def extend(context: Context, visit: Visit) -> Outcome:
    value = ExtendValue.decode(visit.value)
    return await doing.extend(context, visit, value.rental_id, value.longer, shown_end=value.shown_end)


async def keep(context: Context, visit: Visit) -> Outcome:
    value = HoursValue.decode(visit.value)
    return await doing.keep(context, visit, value.rental_id, timedelta(hours=value.hours))


async def taken_on(context: Context, visit: Visit) -> Outcome:
    await ending.take_on(context.desk, visit.person, RentalValue.decode(visit.value).rental_id)
    return None


HANDLERS: Mapping[Action, Handler] = MappingProxyType(
    {
        Action.RENT: rent,
        Action.RENT_ANOTHER: rent_another,
        Action.ALL_OFFERS: all_offers,
        Action.REFRESH: ask_again,
        Action.TRY_AGAIN: ask_again,
        Action.CHANGE: change,
        Action.SHOW_NEARBY: show_nearby,
        Action.CHOOSE_FROM_LIST: choose_from_list,
        Action.ADD_KEY: keys.ask,
        Action.SHOW_RENTAL: show_rental,
        Action.DETAILS: show_rental,
        Action.CHANGE_RENTAL: change_rental,
        Action.WITHDRAW: withdraw,
        Action.CANCEL: destroy,
        Action.APPROVE: approve,
        Action.DENY: deny,
        Action.ACCEPT: approve,
        Action.EXTEND_FORM: extend_form,
        Action.EXTEND: extend,
        Action.KEEP: keep,
        Action.DESTROY: destroy,
        Action.TAKEN_ON: taken_on,
    }
)


async def click(context: Context, visit: Visit) -> Outcome:
    """Whatever was clicked. Raises Mistake for a button of an older version."""
    return await HANDLERS[action_of(visit.name)](context, visit)
