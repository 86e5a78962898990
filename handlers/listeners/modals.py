"""What each dialog does when it is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.errors import MarketAway, Mistake, NoTeammate
from handlers.actions import (
    admin_questions,
    github_keys,
    giving,
    keys,
    offers,
    rentals,
    replacing,
    requests,
    sharing,
    waiting,
)
from handlers.ids import Callback, Field, FormValue, NoValue, callback_of
from handlers.listeners import form_price
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, Outcome, UserInteraction
from handlers.listeners.wrapper import ValueHandler, on
from handlers.typed.commands import read_github_name
from handlers.typed.form import InvalidForm, read_form


async def key(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return await keys.save(context, interaction, interaction.inputs.get(Field.KEY_LINE, ""))


async def github_name(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    name = read_github_name(interaction.inputs.get(Field.GITHUB_NAME, ""))
    return await github_keys.look(context, interaction, name)


async def form(context: Context, interaction: UserInteraction, value: FormValue) -> Outcome:
    """Start a search with the form's request: a new one, or one that changes another."""
    context.forms.forget(interaction.view_id)
    now, zone = context.deps.clock.now(), interaction.person.tz
    try:
        get = read_form(interaction.inputs, context.known_catalog(), context.deps.rules, now=now, zone=zone)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    except MarketAway as away:
        return FieldErrors(errors={Field.GPU: away.words})
    earlier = await offers.changed_quote(context, interaction, value)
    try:
        return await offers.ask_for(context, interaction, get, earlier=earlier)
    except NoTeammate as problem:
        return FieldErrors(errors={Field.TEAMMATES: problem.words})


async def notice(_: Context, __: UserInteraction, ___: NoValue) -> Outcome:
    """Raise Mistake: a notice has no submit button, so the payload is forged or broken."""
    raise Mistake("There is nothing to send off here. I changed nothing.")


HANDLERS: Mapping[str, ValueHandler] = MappingProxyType(
    dict(
        (
            on(Callback.KEY, key),
            on(Callback.GITHUB_NAME, github_name),
            on(Callback.CHOOSE_KEYS, github_keys.take_chosen),
            on(Callback.FORM, form),
            on(Callback.RENT_CONFIRM, offers.rent),
            on(Callback.HIGHEST_PRICE, waiting.rent_up_to),
            on(Callback.RENT_FOR_ME, waiting.rent),
            on(Callback.RENT_DEARER, waiting.rent_dearer),
            on(Callback.APPROVE_CONFIRM, requests.approve),
            on(Callback.FEWER_HOURS, requests.approve_fewer_hours),
            on(Callback.DENY, requests.deny),
            on(Callback.EXTEND, rentals.extend_by_hours),
            on(Callback.EXTEND_CONFIRM, rentals.extend),
            on(Callback.ADD_TEAMMATE, sharing.form),
            on(Callback.TAKE_CONFIRM, giving.take),
            on(Callback.DESTROY_CONFIRM, rentals.destroy),
            on(Callback.REPLACE, replacing.replace),
            on(Callback.GIVE_OWNER, admin_questions.give_owner),
            on(Callback.NOT_OURS, admin_questions.not_ours),
            on(Callback.DESTROY_UNKNOWN, admin_questions.destroy),
            on(Callback.NOTICE, notice),
        )
    )
)
"""By `callback_id`, for every dialog of `handlers.ids`."""


async def submitted(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle the submission of any dialog. Raise Mistake if a version before this one opened the dialog."""
    callback = callback_of(interaction.name)
    value = callback.decode(interaction.value, interaction.value_type)
    return await HANDLERS[callback.id](context, interaction, value)


async def chosen(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle a choice in an input of an open dialog. Only the request form shows anything then."""
    return await form_price.chosen(context, interaction) if interaction.name == Callback.FORM.id else None
