"""Deciding about a request that waits: approve, deny and withdraw."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import RequestChanged
from bot.lifecycle.actions import deciding, previews
from handlers.ids import Field, RentalValue, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction, reply_unless_shown
from handlers.messages.requests import approval
from handlers.messages.writers import EventContext
from handlers.phrases.format import escape
from handlers.views.answers import modals, replies


async def show(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply with what a rental waits for, or how it was decided."""
    newest = await previews.newest_request(context.deps, interaction.person, value.rental_id)
    return Reply(content=approval(EventContext(newest.asked, newest.details, context.reader(interaction.person))))


async def approve(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approve the version that was shown, or open the dialog that confirms it if it can cost much."""
    details = await previews.approval_to_confirm(context.deps, interaction.person, value.rental_id, value.version)
    if details is not None:
        return OpenModal(modal=modals.approve_confirm(details, context.reader(interaction.person)))
    return await approve_confirmed(context, interaction, value)


async def approve_confirmed(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approve the version that was shown. Reply with the newest version if there is a newer one."""
    return await _approve(context, interaction, value)


async def open_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Open the dialog with shorter leases. Reply with the newest version if there is a newer one."""
    try:
        details, choices = await previews.fewer_hours_to_choose(
            context.deps, interaction.person, value.rental_id, value.version
        )
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)
    return OpenModal(modal=modals.fewer_hours(details, choices, context.reader(interaction.person)))


async def approve_fewer_hours(
    context: Context, interaction: UserInteraction, value: VersionValue, length: timedelta
) -> Outcome:
    """Approve the version that was shown, for fewer hours. Reply with the newest version if there is a newer
    one."""
    return await _approve(context, interaction, value, length)


async def _approve(
    context: Context, interaction: UserInteraction, value: VersionValue, length: timedelta | None = None
) -> Outcome:
    try:
        rental = await deciding.approve(
            context.deps, interaction.person, value.rental_id, value.version, length=length
        )
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)
    return reply_unless_shown(interaction, replies.decided(rental, "Approved"))


async def open_deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Open the dialog that asks why. Reply with the newest version if there is a newer one."""
    try:
        details = await previews.request_to_deny(context.deps, interaction.person, value.rental_id, value.version)
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)
    return OpenModal(modal=modals.deny(details))


async def deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Deny the version that was shown, for the reason that was typed, which may be empty. Reply with the newest
    version if there is a newer one."""
    reason = interaction.inputs.get(Field.REASON, "")
    try:
        rental = await deciding.deny(
            context.deps, interaction.person, value.rental_id, value.version, reason=reason
        )
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)
    return reply_unless_shown(interaction, replies.decided(rental, "Denied"))


async def withdraw(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Withdraw the version that was shown. Its messages say so."""
    await deciding.withdraw(context.deps, interaction.person, value.rental_id, value.version)
    return None


async def _newer_version(
    context: Context, interaction: UserInteraction, rental_id: str, change: RequestChanged
) -> Outcome:
    newest = await previews.newest_request(context.deps, interaction.person, rental_id)
    reader = context.reader(interaction.person)
    current = approval(EventContext(newest.asked, newest.details, reader))
    return Reply(content=replies.newer_version(escape(change.words, 300), current))
