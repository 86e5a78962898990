"""Renting a machine in the place of another one: by its button, or by the dialog that asks what doesn't work."""

from __future__ import annotations

from bot.lifecycle.actions.action import Confirmation, preview
from bot.lifecycle.actions.replacing import Replace, ReplacePlan
from handlers.actions.calling import carry_out
from handlers.ids import Field, RentalValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, UserInteraction
from handlers.views.answers.replacing import replace_confirm


async def replace(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Look for another machine. The search sends its answer to the `response_url`."""

    def dialog(wanted: Confirmation[ReplacePlan]) -> OpenModal:
        return OpenModal(modal=replace_confirm(wanted.plan.rental, wanted.plan.left, asks_why=False))

    return await carry_out(context, interaction, _action(interaction, value), dialog=dialog)


async def ask_why(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Open the dialog that asks what doesn't work."""
    plan = (await preview(context.deps, interaction.person, _action(interaction, value))).plan
    return OpenModal(modal=replace_confirm(plan.rental, plan.left, asks_why=True))


def _action(interaction: UserInteraction, value: RentalValue) -> Replace:
    reason = interaction.inputs.get(Field.REASON, "")
    return Replace(value.rental_id, interaction.reply_to, reason)
