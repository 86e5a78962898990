"""The one way in which Slack's buttons, dialogs and words call an action of bot/lifecycle/actions.

A function of a module in handlers/actions belongs to one action. Its button, its dialog and its typed command all
lead to it. It makes the action from their value and passes it to `carry_out`, with the dialog that confirms the
plan and the reply that says what was done. If the fields of the value are those of the action, `does` makes that
function. `ON` of each module says which button and which dialog leads to which function.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from bot.lifecycle.actions import action as actions
from bot.lifecycle.actions.action import Action, Confirmation, Done, Loaded, Plan
from handlers.ids import CONFIRMATIONS, ActionId, CallbackId, V, Value
from handlers.listeners.context import Context
from handlers.listeners.interaction import InteractionKind, OpenModal, Outcome, Reply, UserInteraction
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.format import Reader

ValueHandler: TypeAlias = Callable[[Context, UserInteraction, Any], Awaitable[Outcome]]
"""What a button or a dialog does. It takes a value of the type that the id of the button or dialog names
(`on`)."""


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


def does(
    make: Callable[..., Action[Any, Plan, Done]],
    reply: Callable[[Done, Reader], Rendered] | None = None,
    *,
    dialog: Callable[[Confirmation[Plan], Reader], Modal] | None = None,
    replaces_original: bool = False,
    unless_shown: bool = False,
) -> Callable[[Context, UserInteraction, Value], Awaitable[Outcome]]:
    """Return the function of a button or dialog whose value has the fields of the action that `make` returns.

    Without a `reply`, the messages about the rental show what was done. `unless_shown` leaves the reply out if the
    clicked message shows it too.
    """

    async def handler(context: Context, interaction: UserInteraction, value: Value) -> Outcome:
        reader = context.reader(interaction.person)

        def answer(done: Done) -> Outcome:
            if reply is None or (unless_shown and interaction.origin.on_surface):
                return None
            return Reply(content=reply(done, reader), replaces_original=replaces_original)

        def opened(wanted: Confirmation[Plan]) -> OpenModal:
            if dialog is None:
                raise ValueError("this action has no dialog")
            return OpenModal(modal=dialog(wanted, reader))

        action = make(**dict(value))
        return await carry_out(context, interaction, action, answer, dialog=opened if dialog else None)

    return handler


def on(
    control: ActionId[V] | CallbackId[V], handler: Callable[[Context, UserInteraction, V], Awaitable[Outcome]]
) -> tuple[str, ValueHandler]:
    """Return the id of a button or dialog, and its handler. mypy checks here that both have the same type of
    value."""
    return control.id, handler
