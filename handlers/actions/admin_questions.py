"""What admins do with machines that the bot doesn't know, and with rentals whose owner left."""

from __future__ import annotations

from bot.errors import Mistake, Refused
from bot.lifecycle.actions import admin_questions as service
from bot.model.rental import Rental
from handlers.actions.calling import carry_out, does, on
from handlers.ids import Action, Callback, Field, QuestionValue
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


ask_again = does(service.AskAgain)


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
        action = service.GiveOwner(value.question_id, value.version, owner, span)
        return await carry_out(context, interaction, action)
    except Mistake as problem:
        return FieldErrors(errors={Field.OWNER: problem.words})


async def not_ours(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Note that a machine is not ours to manage. The message says so."""
    reason = interaction.inputs.get(Field.REASON, "")
    return await carry_out(context, interaction, service.NotOurs(value.question_id, value.version, reason))


async def destroy(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Destroy a machine. The message and the new rental's card say so."""
    typed = interaction.inputs.get(Field.MACHINE_NAME, "")
    try:
        action = service.DestroyUnknown(value.question_id, value.version, typed)
        return await carry_out(context, interaction, action)
    except Mistake as problem:
        return FieldErrors(errors={Field.MACHINE_NAME: problem.words})


async def readopt_all(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Re-adopt every purchase that can be re-adopted. The message says so. Raise Refused if none can be."""
    # The backup may lack the owners, or that they left.
    owners = await service.owners_to_look_up(context.deps, interaction.person, value.question_id)
    await context.people.refresh(owners)

    def reply(rentals: list[Rental]) -> None:
        if not rentals:
            raise Refused(NONE_READOPTED)

    return await carry_out(context, interaction, service.ReadoptAll(value.question_id), reply)


async def one_by_one(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Ask about each purchase in a separate message."""
    await service.one_by_one(context.deps, interaction.person, value.question_id)
    return None


ON = (
    on(Action.GIVE_OWNER, open_give_owner),
    on(Action.NOT_OURS, open_not_ours),
    on(Action.ASK_ABOUT_AGAIN, ask_again),
    on(Action.DESTROY_UNKNOWN, open_destroy),
    on(Action.PUT_ALL_BACK, readopt_all),
    on(Action.ONE_BY_ONE, one_by_one),
    on(Callback.GIVE_OWNER, give_owner),
    on(Callback.NOT_OURS, not_ours),
    on(Callback.DESTROY_UNKNOWN, destroy),
)
