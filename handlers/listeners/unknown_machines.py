"""What admins do with machines that the bot doesn't know."""

from __future__ import annotations

from bot.errors import Mistake
from bot.lifecycle.service import unknown_machines as service
from handlers.ids import Field
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, UserInteraction
from handlers.parsing.form import InvalidForm, read_hours
from handlers.values import PurchaseValue
from handlers.views import unknown_machines as views


async def open_give_owner(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Open the dialog that asks for whom a machine is."""
    view = await service.preview_adoption(context.deps, interaction.person, value.purchase_id, value.version)
    return OpenModal(modal=views.give_owner(view.purchase, view.spent, rules=context.deps.rules))


async def open_not_ours(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Open the dialog that asks why a machine is not ours to manage."""
    view = await _view(context, interaction, value)
    return OpenModal(modal=views.not_ours(view.purchase, view.spent))


async def open_destroy(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Open the dialog that confirms the destruction of a machine."""
    view = await _view(context, interaction, value)
    return OpenModal(modal=views.destroy(view.purchase, view.spent))


async def ask_again(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Ask again tomorrow. The message says so."""
    await service.ask_again(context.deps, interaction.person, value.purchase_id, value.version)
    return None


async def give_owner(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Give a machine to the person who was chosen. The message says so."""
    chosen = interaction.inputs.get(Field.OWNER, "")
    try:
        span = read_hours(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    if not chosen:
        return FieldErrors(errors={Field.OWNER: "Choose a person."})
    try:
        owner = await context.people.get(chosen)
        await service.give_owner(
            context.deps, interaction.person, value.purchase_id, value.version, owner=owner, span=span
        )
    except Mistake as problem:
        return FieldErrors(errors={Field.OWNER: problem.words})
    return None


async def not_ours(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Note that a machine is not ours to manage. The message says so."""
    reason = interaction.inputs.get(Field.REASON, "")
    await service.not_ours(context.deps, interaction.person, value.purchase_id, value.version, reason=reason)
    return None


async def destroy(context: Context, interaction: UserInteraction, value: PurchaseValue) -> Outcome:
    """Destroy a machine. The message and the new rental's card say so."""
    typed = interaction.inputs.get(Field.MACHINE_NAME, "")
    try:
        await service.destroy(context.deps, interaction.person, value.purchase_id, value.version, typed=typed)
    except Mistake as problem:
        return FieldErrors(errors={Field.MACHINE_NAME: problem.words})
    return None


async def _view(context: Context, interaction: UserInteraction, value: PurchaseValue) -> service.PurchaseView:
    return await service.preview(context.deps, interaction.person, value.purchase_id, value.version)
