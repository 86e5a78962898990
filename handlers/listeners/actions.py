"""What each button does. A button's value holds ids; what they stand for is read from the store at the click."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from bot.lifecycle.service import deciding, ending, previews
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
from handlers.listeners import keys, operations
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.listeners.wrapper import Handler
from handlers.views import offers

# --- offers


async def rent(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.rent(context, interaction, OfferValue.decode(interaction.value), another=False)


async def rent_another(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.rent(context, interaction, OfferValue.decode(interaction.value), another=True)


async def all_offers(context: Context, interaction: UserInteraction) -> Outcome:
    """The whole list in the place of the short one."""
    value, deps = QuoteValue.decode(interaction.value), context.deps
    view = await previews.offers_of_quote(
        deps, interaction.person, value.quote_id, most=offers.shown_of(everything=True)
    )
    said = quote_answer(view, rules=deps.rules, now=deps.clock.now(), everything=True)
    return Reply(said=said, replaces=True)


async def ask_again(context: Context, interaction: UserInteraction) -> Outcome:
    """Refresh, and Try again."""
    quote = await previews.quote_to_ask_again(
        context.deps, interaction.person, QuoteValue.decode(interaction.value).quote_id
    )
    return await operations.ask(context, interaction, quote.request, like=quote)


async def show_nearby(context: Context, interaction: UserInteraction) -> Outcome:
    """Looks for something close to what was asked for."""
    value = NearbyValue.decode(interaction.value)
    quote, request = await previews.nearby_request(context.deps, interaction.person, value.quote_id, value.index)
    return await operations.ask(context, interaction, request, like=quote)


async def change(context: Context, interaction: UserInteraction) -> Outcome:
    """The form, filled in with what was asked for."""
    value = QuoteValue.decode(interaction.value)
    quote = await previews.quote_to_ask_again(context.deps, interaction.person, value.quote_id)
    return operations.form(context, interaction, like=quote, carries=value)


async def choose_from_list(context: Context, interaction: UserInteraction) -> Outcome:
    """The empty form."""
    return operations.form(context, interaction)


# --- a request that waits


async def change_rental(context: Context, interaction: UserInteraction) -> Outcome:
    """The form, filled in with the request that waits."""
    value = VersionValue.decode(interaction.value)
    quote = await previews.quote_to_change(context.deps, interaction.person, value.rental_id)
    return operations.form(context, interaction, like=quote, carries=value)


async def withdraw(context: Context, interaction: UserInteraction) -> Outcome:
    value = VersionValue.decode(interaction.value)
    await deciding.withdraw(context.deps, interaction.person, value.rental_id, value.version)
    return None


async def approve(context: Context, interaction: UserInteraction) -> Outcome:
    """Approve, and what the owner accepts alone."""
    return await operations.approve(context, interaction, VersionValue.decode(interaction.value))


async def deny(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.deny(context, interaction, VersionValue.decode(interaction.value))


# --- a machine


async def show_rental(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.show(context, interaction, RentalValue.decode(interaction.value).rental_id)


async def destroy(context: Context, interaction: UserInteraction) -> Outcome:
    """Destroy and Cancel: the dialog."""
    return await operations.confirm_destroy(context, interaction, RentalValue.decode(interaction.value).rental_id)


async def extend_form(context: Context, interaction: UserInteraction) -> Outcome:
    return await operations.extend_form(context, interaction, RentalValue.decode(interaction.value).rental_id)


async def extend(context: Context, interaction: UserInteraction) -> Outcome:
    value = ExtendValue.decode(interaction.value)
    return await operations.extend(context, interaction, value.rental_id, value.longer, shown_end=value.shown_end)


async def keep(context: Context, interaction: UserInteraction) -> Outcome:
    value = HoursValue.decode(interaction.value)
    return await operations.keep(context, interaction, value.rental_id, timedelta(hours=value.hours))


async def taken_on(context: Context, interaction: UserInteraction) -> Outcome:
    await ending.take_on_alarm(context.deps, interaction.person, RentalValue.decode(interaction.value).rental_id)
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


async def click(context: Context, interaction: UserInteraction) -> Outcome:
    """Whatever was clicked. Raises Mistake for a button of an older version."""
    return await HANDLERS[action_of(interaction.name)](context, interaction)
