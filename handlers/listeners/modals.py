"""What each dialog does when it is submitted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from bot.errors import Mistake, NoTeammate
from bot.lifecycle.service import previews
from bot.model.base import changed
from bot.model.quote import Quote
from handlers.ids import (
    Callback,
    CallbackId,
    EndValue,
    ExtendValue,
    Field,
    FormValue,
    NoValue,
    OfferValue,
    QuoteValue,
    RentalValue,
    UntilValue,
    V,
    VersionValue,
    callback_of,
)
from handlers.listeners import (
    admin_questions,
    github_keys,
    keys,
    offers,
    rentals,
    replacing,
    requests,
    sharing,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, Outcome, UserInteraction
from handlers.listeners.wrapper import Handler
from handlers.parsing.commands import read_github_name
from handlers.parsing.form import InvalidForm, read_form, read_hours


async def key(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return await keys.save(context, interaction, interaction.inputs.get(Field.KEY_LINE, ""))


async def github_name(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    name = read_github_name(interaction.inputs.get(Field.GITHUB_NAME, ""))
    return await github_keys.look(context, interaction, name)


async def form(context: Context, interaction: UserInteraction, value: FormValue) -> Outcome:
    """Start a search with the form's request: a new one, or one that changes another."""
    try:
        request = read_form(
            interaction.inputs,
            context.known_catalog(),
            context.deps.rules,
            now=context.deps.clock.now(),
            zone=interaction.person.tz,
        )
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    earlier = await _changed_quote(context, interaction, value)
    try:
        return await offers.ask(context, interaction, request, earlier=earlier)
    except NoTeammate as problem:
        return FieldErrors(errors={Field.TEAMMATES: problem.words})


async def _changed_quote(context: Context, interaction: UserInteraction, value: FormValue) -> Quote | None:
    """Return the search that the form changes or repeats. Return None for a new search."""
    match value:
        case QuoteValue(quote_id=quote_id):
            return await previews.quote_to_ask_again(context.deps, interaction.person, quote_id)
        case VersionValue(rental_id=rental_id):
            quote = await previews.quote_to_change(context.deps, interaction.person, rental_id)
            return changed(quote, changes=rental_id)
        case NoValue():
            return None


async def rent_confirm(context: Context, interaction: UserInteraction, value: OfferValue) -> Outcome:
    return await offers.rent_confirmed(context, interaction, value, another=interaction.another)


async def extend(context: Context, interaction: UserInteraction, value: EndValue) -> Outcome:
    try:
        longer = read_hours(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await rentals.extend(context, interaction, value.rental_id, longer, shown_end=value.shown_end)


async def extend_confirm(
    context: Context, interaction: UserInteraction, value: ExtendValue | UntilValue
) -> Outcome:
    if isinstance(value, UntilValue):
        return await rentals.extend_confirmed(context, interaction, value.rental_id, value.moment)
    by, shown_end = value.longer, value.shown_end
    return await rentals.extend_confirmed(context, interaction, value.rental_id, by, shown_end=shown_end)


async def destroy_confirm(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await rentals.destroy_confirmed(context, interaction, value.rental_id)


async def replace(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    return await replacing.confirmed(context, interaction, value.rental_id)


async def notice(_: Context, __: UserInteraction, ___: NoValue) -> Outcome:
    """Raise Mistake: a notice has no submit button, so the payload is forged or broken."""
    raise Mistake("There is nothing to send off here. I changed nothing.")


def _on(
    callback: CallbackId[V], handle: Callable[[Context, UserInteraction, V], Awaitable[Outcome]]
) -> tuple[str, Handler]:
    """Return a dialog's id, and a handler that decodes its value for `handle`."""

    async def decode_and_handle(context: Context, interaction: UserInteraction) -> Outcome:
        value = callback.decode(interaction.value, interaction.value_type)
        return await handle(context, interaction, value)

    return callback.id, decode_and_handle


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    dict(
        (
            _on(Callback.KEY, key),
            _on(Callback.GITHUB_NAME, github_name),
            _on(Callback.CHOOSE_KEYS, github_keys.take_chosen),
            _on(Callback.FORM, form),
            _on(Callback.RENT_CONFIRM, rent_confirm),
            _on(Callback.APPROVE_CONFIRM, requests.approve_confirmed),
            _on(Callback.DENY, requests.deny),
            _on(Callback.EXTEND, extend),
            _on(Callback.EXTEND_CONFIRM, extend_confirm),
            _on(Callback.ADD_TEAMMATE, sharing.form),
            _on(Callback.DESTROY_CONFIRM, destroy_confirm),
            _on(Callback.REPLACE, replace),
            _on(Callback.GIVE_OWNER, admin_questions.give_owner),
            _on(Callback.NOT_OURS, admin_questions.not_ours),
            _on(Callback.DESTROY_UNKNOWN, admin_questions.destroy),
            _on(Callback.NOTICE, notice),
        )
    )
)
"""By `callback_id`, for every dialog of `handlers.ids`."""


async def submitted(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle the submission of any dialog. Raise Mistake if a version before this one opened the dialog."""
    return await HANDLERS[callback_of(interaction.name)](context, interaction)
