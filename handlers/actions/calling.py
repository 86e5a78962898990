"""The one way in which Slack's buttons, dialogs and words call an action of bot/lifecycle/actions.

A function of a module in handlers/actions belongs to one action. Its button, its dialog and its typed command all
lead to it. It makes the action from their value and passes it to `carry_out`, with the dialog that confirms the
plan and the reply that says what was done.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.lifecycle.actions import action as actions
from bot.lifecycle.actions.action import Action, Confirmation, Done, Loaded, Plan
from handlers.ids import CONFIRMATIONS
from handlers.listeners.context import Context
from handlers.listeners.interaction import InteractionKind, OpenModal, Outcome, UserInteraction


def no_reply(_: object) -> None:
    """Reply nothing: the messages about the rental show what was done."""


async def carry_out(
    context: Context,
    interaction: UserInteraction,
    action: Action[Loaded, Plan, Done],
    reply: Callable[[Done], Outcome] = no_reply,
    *,
    dialog: Callable[[Confirmation[Plan]], OpenModal] | None = None,
) -> Outcome:
    """Do an action and `reply`, or open the `dialog` in which the person confirms it.

    The dialog opens if the plan needs a confirmation, unless this is its submission. An action without a dialog is
    done at once. Raise what the action raises.
    """
    confirmed = interaction.kind is InteractionKind.SUBMISSION and interaction.name in CONFIRMATIONS
    if dialog is not None and not confirmed:
        wanted = await actions.to_confirm(context.deps, interaction.person, action)
        if wanted is not None:
            return dialog(wanted)
    return reply(await actions.carry_out(context.deps, interaction.person, action))
