"""Renting a machine in the place of another one: from its button, or from the dialog that confirms it."""

from __future__ import annotations

from bot.lifecycle.actions import replacing
from handlers.ids import Field, RentalValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, UserInteraction
from handlers.views.answers.replacing import replace_confirm


async def replace(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Look for another machine, or open the dialog that confirms it."""
    preview = await replacing.preview(context.deps, interaction.person, value.rental_id)
    if preview.needs_confirmation:
        return OpenModal(modal=replace_confirm(preview.details.rental, preview.left, asks_why=False))
    return await confirmed(context, interaction, value)


async def ask_why(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Open the dialog that asks what doesn't work."""
    preview = await replacing.preview(context.deps, interaction.person, value.rental_id)
    return OpenModal(modal=replace_confirm(preview.details.rental, preview.left, asks_why=True))


async def confirmed(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Look for another machine. The search sends its answer to the `response_url`."""
    await replacing.replace(
        context.deps,
        interaction.person,
        value.rental_id,
        reply_to=interaction.reply_to,
        reason=interaction.inputs.get(Field.REASON, ""),
    )
    return None
