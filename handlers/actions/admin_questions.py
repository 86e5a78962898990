"""Buttons and dialogs with which admins decide about unmanaged machines and about rentals whose owner left.

An unmanaged machine is one that runs at the vendor but belongs to no rental of the bot.
"""

from __future__ import annotations

from functools import partial

from bot.errors import Mistake
from bot.lifecycle.actions import admin_questions as service
from handlers.actions.calling import below, carry_out, does, on, shows
from handlers.ids import Action, Callback, Field, QuestionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction
from handlers.messages import admin_questions as views
from handlers.typed.form import InvalidForm, read_hours


async def give_owner(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Assign an unmanaged machine to the person chosen in the dialog.

    There is no reply, because the message with the question is updated to show the decision.
    """
    chosen = interaction.inputs.get(Field.OWNER, "")
    span = read_hours(interaction.inputs) if Field.HOURS in interaction.inputs else None
    if not chosen:
        raise InvalidForm({Field.OWNER: "Choose a person."})
    with below(Field.OWNER, Mistake):
        owner = await context.people.get(chosen)
        action = service.GiveOwner(value.question_id, value.version, owner, span)
        return await carry_out(context, interaction, action)


async def not_ours(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Record that the bot shouldn't manage a machine, so that nobody is asked about it again.

    There is no reply, because the message with the question is updated to show the decision.
    """
    reason = interaction.inputs.get(Field.REASON, "")
    return await carry_out(context, interaction, service.NotOurs(value.question_id, value.version, reason))


async def destroy(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Destroy an unmanaged machine.

    First, the machine becomes a rental of the admin, so that its cost is recorded. There is no reply, because the
    message with the question and the card of that rental show the decision.
    """
    typed = interaction.inputs.get(Field.MACHINE_NAME, "")
    with below(Field.MACHINE_NAME, Mistake):
        action = service.DestroyUnmanaged(value.question_id, value.version, typed)
        return await carry_out(context, interaction, action)


async def readopt_all(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Re-adopt all machines that a question is about, and skip machines that can't be re-adopted.

    The bot asks this question after the database was restored from a backup that doesn't contain these machines.
    To re-adopt a machine is to manage it again, for the owner who rented it. There is no reply, because the
    message with the question is updated to show the decision.
    """
    # Look up the owners in Slack first. The database was restored from a backup, so it may not contain them, or
    # may not show that they have left since the backup.
    owners = await service.owners_to_look_up(context.deps, interaction.person, value.question_id)
    await context.people.refresh(owners)
    return await carry_out(context, interaction, service.ReadoptAll(value.question_id))


async def one_by_one(context: Context, interaction: UserInteraction, value: QuestionValue) -> Outcome:
    """Replace a question about several purchases with one message for each purchase."""
    await service.one_by_one(context.deps, interaction.person, value.question_id)
    return None


ON = (
    on(
        Action.GIVE_OWNER,
        shows(
            partial(service.preview, new_owner=True),
            lambda view, reader: views.give_owner(view, rules=reader.rules),
        ),
    ),
    on(Action.NOT_OURS, shows(service.preview, lambda view, _: views.not_ours(view))),
    on(Action.ASK_ABOUT_AGAIN, does(service.AskAgain)),
    on(Action.DESTROY_UNMANAGED, shows(service.preview, lambda view, _: views.destroy(view))),
    on(Action.PUT_ALL_BACK, readopt_all),
    on(Action.ONE_BY_ONE, one_by_one),
    on(Callback.GIVE_OWNER, give_owner),
    on(Callback.NOT_OURS, not_ours),
    on(Callback.DESTROY_UNMANAGED, destroy),
)
