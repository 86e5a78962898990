"""Requests and extensions that wait for a decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.errors import RequestChanged
from bot.lifecycle.actions import deciding
from bot.lifecycle.actions.action import Action, Confirmation, Loaded, Plan
from bot.model.rental import Rental
from handlers.actions.calling import carry_out
from handlers.ids import Field, RentalValue, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    FieldErrors,
    OpenModal,
    Outcome,
    Reply,
    UserInteraction,
    reply_unless_shown,
)
from handlers.messages.requests import approval
from handlers.messages.writers import EventContext
from handlers.phrases.format import escape
from handlers.typed.form import InvalidForm, read_length
from handlers.views.answers import modals, replies


async def show(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply with what a rental waits for, or how it was decided."""
    newest = await deciding.newest_request(context.deps, interaction.person, value.rental_id)
    return Reply(content=approval(EventContext(newest.asked, newest.details, context.reader(interaction.person))))


async def approve(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approve the version that was shown."""
    return await _approve(context, interaction, value)


async def open_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Open the dialog with shorter leases. Reply with the newest version if there is a newer one."""
    try:
        details, choices = await deciding.fewer_hours_to_choose(
            context.deps, interaction.person, value.rental_id, value.version
        )
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)
    return OpenModal(modal=modals.fewer_hours(details, choices, context.reader(interaction.person)))


async def approve_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approve the version that was shown, for the length that was chosen."""
    try:
        length = read_length(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await _approve(context, interaction, value, length)


async def _approve(
    context: Context, interaction: UserInteraction, value: VersionValue, length: timedelta | None = None
) -> Outcome:
    def dialog(wanted: Confirmation[deciding.ToApprove]) -> OpenModal:
        return OpenModal(modal=modals.approve_confirm(wanted.rental, context.reader(interaction.person)))

    action = deciding.Approve(value.rental_id, value.version, length=length)
    return await _decide(context, interaction, action, "Approved", value, dialog=dialog)


async def deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Deny the version that was shown, for the reason that is typed in the dialog, which may be empty."""

    def dialog(wanted: Confirmation[Rental]) -> OpenModal:
        return OpenModal(modal=modals.deny(wanted.rental))

    reason = interaction.inputs.get(Field.REASON, "")
    action = deciding.Deny(value.rental_id, value.version, reason=reason)
    return await _decide(context, interaction, action, "Denied", value, dialog=dialog)


async def _decide(
    context: Context,
    interaction: UserInteraction,
    action: Action[Loaded, Plan, Rental],
    word: str,
    value: VersionValue,
    *,
    dialog: Callable[[Confirmation[Plan]], OpenModal],
) -> Outcome:
    """Decide about the version that was shown. Reply with the newest version if there is a newer one."""

    def reply(rental: Rental) -> Outcome:
        return reply_unless_shown(interaction, replies.decided(rental, word))

    try:
        return await carry_out(context, interaction, action, reply, dialog=dialog)
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)


async def withdraw(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Withdraw the version that was shown. Its messages say so."""
    return await carry_out(context, interaction, deciding.Withdraw(value.rental_id, value.version))


async def _newer_version(
    context: Context, interaction: UserInteraction, rental_id: str, change: RequestChanged
) -> Outcome:
    newest = await deciding.newest_request(context.deps, interaction.person, rental_id)
    reader = context.reader(interaction.person)
    current = approval(EventContext(newest.asked, newest.details, reader))
    return Reply(content=replies.newer_version(escape(change.words, 300), current))
