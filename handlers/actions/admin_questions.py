"""What admins do with machines that the bot doesn't know, and with rentals whose owner left."""

from __future__ import annotations

from bot.errors import Mistake, Refused
from bot.lifecycle.actions import admin_questions as service
from handlers.ids import Field, QuestionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, UserInteraction
from handlers.messages import admin_questions as views
from handlers.messages.backups import NONE_READOPTED
from handlers.typed.form import InvalidForm, read_hours


async def open_give_owner(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Open the dialog that asks who gets a machine."""
    view = await service.preview(
        context.deps, interaction.person, value.question_id, value.version, new_owner=True
    )
    return OpenModal(modal=views.give_owner(view, rules=context.deps.rules))


async def open_not_ours(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Open the dialog that asks why a machine is not ours to manage."""
    view = await service.preview(context.deps, interaction.person, value.question_id, value.version)
    return OpenModal(modal=views.not_ours(view))


async def open_destroy(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Open the dialog that confirms the destruction of a machine."""
    view = await service.preview(context.deps, interaction.person, value.question_id, value.version)
    return OpenModal(modal=views.destroy(view))


async def ask_again(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Ask again tomorrow. The message says so."""
    await service.ask_again(context.deps, interaction.person, value.question_id, value.version)
    return None


async def give_owner(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Give a machine to the person who was chosen. The message says so."""
    chosen = interaction.inputs.get(Field.OWNER, "")
    try:
        span = read_hours(interaction.inputs) if Field.HOURS in interaction.inputs else None
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    if not chosen:
        return FieldErrors(errors={Field.OWNER: "Choose a person."})
    try:
        owner = await context.people.get(chosen)
        await service.give_owner(
            context.deps, interaction.person, value.question_id, value.version, owner=owner, span=span
        )
    except Mistake as problem:
        return FieldErrors(errors={Field.OWNER: problem.words})
    return None


async def not_ours(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Note that a machine is not ours to manage. The message says so."""
    reason = interaction.inputs.get(Field.REASON, "")
    await service.not_ours(context.deps, interaction.person, value.question_id, value.version, reason=reason)
    return None


async def destroy(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Destroy a machine. The message and the new rental's card say so."""
    typed = interaction.inputs.get(Field.MACHINE_NAME, "")
    try:
        await service.destroy(context.deps, interaction.person, value.question_id, value.version, typed=typed)
    except Mistake as problem:
        return FieldErrors(errors={Field.MACHINE_NAME: problem.words})
    return None


async def readopt_all(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Re-adopt every purchase that can be re-adopted. The message says so. Raise Refused if none can be."""
    # The backup may lack the owners, or that they left.
    owners = await service.owners_to_look_up(context.deps, interaction.person, value.question_id)
    await context.people.refresh(owners)
    if not await service.readopt_all(context.deps, interaction.person, value.question_id):
        raise Refused(NONE_READOPTED)
    return None


async def one_by_one(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Ask about each purchase in a separate message."""
    await service.one_by_one(context.deps, interaction.person, value.question_id)
    return None
