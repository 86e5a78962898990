"""The table with the handlers of all buttons and dialogs, and the listeners that call these handlers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bot.errors import Mistake, QuestionLost, Refused, TooLate
from bot.lifecycle.restored.messages import note_unknown_rental
from handlers.actions import (
    admin_questions,
    github_keys,
    giving,
    keys,
    offers,
    policy,
    rentals,
    request_form,
    requests,
    sharing,
    spend,
    token_form,
    tokens,
    waiting,
)
from handlers.actions.calling import ValueHandler, on
from handlers.ids import ACTION_VALUES, Callback, NoValue, action_of, callback_of
from handlers.listeners import commands
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, InteractionKind, Outcome, Reply, UserInteraction
from handlers.messages import backups
from handlers.typed.form import InvalidForm


async def notice(_: Context, __: UserInteraction, ___: NoValue) -> Outcome:
    """Always raise Mistake, because a dialog that only shows a text can't be submitted.

    The dialog has no submit button. So if Slack reports a submission, the request is forged or broken.
    """
    raise Mistake("This dialog has nothing to submit. Nothing was changed.")


_MODULES = (
    *(admin_questions, commands, github_keys, giving, keys, offers, policy, rentals),
    *(request_form, requests, sharing, spend, token_form, tokens, waiting),
)
HANDLERS: Mapping[str, ValueHandler[Any]] = MappingProxyType(
    dict([on(Callback.NOTICE, notice), *(row for module in _MODULES for row in module.ON)])
)
"""The handler of every button and dialog in `handlers.ids`, by `action_id` or `callback_id`."""


async def submitted(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle the submission of any dialog.

    Raises Mistake if an earlier version of the bot opened the dialog.
    """
    callback = callback_of(interaction.name)
    value = callback.decode(interaction.value, interaction.value_type)
    try:
        return await HANDLERS[callback.id](context, interaction, value)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)


async def click(context: Context, interaction: UserInteraction) -> Outcome:
    """Handle a click on any button, or a choice in an input of an open dialog.

    If the database was restored from a backup, the button's rental or question may be missing. The message is then
    replaced by a message without buttons. Raises Mistake if an earlier version of the bot posted the button.
    """
    if interaction.kind is InteractionKind.CHOICE:
        # Slack reports each choice in a menu of any dialog. Only the form for a request reacts, by updating its
        # price.
        return await request_form.chosen(context, interaction) if interaction.name == Callback.FORM.id else None
    action = action_of(interaction.name)
    value = ACTION_VALUES[action].decode(interaction.value)
    try:
        return await HANDLERS[action](context, interaction, value)
    except QuestionLost:
        return Reply(content=backups.question_unknown(), replaces_for_all=True)
    except (Mistake, Refused, TooLate):
        rental_id = getattr(value, "rental_id", None)
        if rental_id is None or not await note_unknown_rental(context.deps, rental_id):
            raise
        return Reply(content=backups.unknown_rental(rental_id), replaces_for_all=True)
