"""The one way in which Slack's buttons, dialogs and words call an action of bot/lifecycle/actions.

A function of a module in handlers/actions belongs to one action. Its button, its dialog and its typed command all
lead to it. It makes the action from their value and passes it to `carry_out`, with the dialog that confirms the
plan and the reply that says what was done. If the fields of the value are those of the action, `does` makes that
function. `shows` makes the one of a button that only shows something. `ON` of each module says which button and
which dialog leads to which function.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from bot.errors import GpubotError
from bot.lifecycle.actions import action as actions
from bot.lifecycle.actions.action import Action, Confirmation, Done, Loaded, Plan
from handlers.ids import CONFIRMATIONS, ActionId, CallbackId, Field, V, Value
from handlers.listeners.context import Context
from handlers.listeners.interaction import InteractionKind, OpenModal, Outcome, Reply, UserInteraction
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.format import Reader
from handlers.typed.form import InvalidForm

Found = TypeVar("Found")
ValueHandler: TypeAlias = Callable[[Context, UserInteraction, V], Awaitable[Outcome]]
"""What a button or a dialog does. It takes a value of the type that the id of the button or dialog names."""


def no_reply(_: object, __: Reader) -> None:
    """Reply nothing: the messages about the rental show what was done."""


async def carry_out(
    context: Context,
    interaction: UserInteraction,
    action: Action[Loaded, Plan, Done],
    reply: Callable[[Done, Reader], Rendered | None] = no_reply,
    *,
    dialog: Callable[[Confirmation[Plan], Reader], Modal | OpenModal] | None = None,
    replaces_original: bool = False,
    unless_shown: bool = False,
) -> Outcome:
    """Do an action and `reply`, or open the `dialog` in which the person confirms it.

    The dialog opens if the plan needs a confirmation, unless this is its submission. An action without a dialog is
    done at once. `unless_shown` leaves the reply out if the clicked message shows it too. Raise what the action
    raises.
    """
    confirmed = interaction.kind is InteractionKind.SUBMISSION and interaction.name in CONFIRMATIONS
    if dialog is not None and not confirmed:
        wanted = await actions.to_confirm(context.deps, interaction.person, action)
        if wanted is not None:
            opened = dialog(wanted, context.reader(interaction.person))
            return opened if isinstance(opened, OpenModal) else OpenModal(modal=opened)
    done = await actions.carry_out(context.deps, interaction.person, action)
    if unless_shown and interaction.origin.on_surface:
        return None
    content = reply(done, context.reader(interaction.person))
    return None if content is None else Reply(content=content, replaces_original=replaces_original)


def does(
    make: Callable[..., Action[Any, Plan, Done]],
    reply: Callable[[Done, Reader], Rendered | None] = no_reply,
    *,
    dialog: Callable[[Confirmation[Plan], Reader], Modal] | None = None,
    replaces_original: bool = False,
    unless_shown: bool = False,
) -> ValueHandler[Value]:
    """Return the function of a button or dialog whose value has the fields of the action that `make` returns. The
    rest is as for `carry_out`.
    """

    async def handler(context: Context, interaction: UserInteraction, value: Value) -> Outcome:
        return await carry_out(
            context,
            interaction,
            make(**dict(value)),
            reply,
            dialog=dialog,
            replaces_original=replaces_original,
            unless_shown=unless_shown,
        )

    return handler


def shows(
    read: Callable[..., Awaitable[Found]],
    view: Callable[[Found, Reader], Rendered | Modal],
    *,
    replaces_original: bool = False,
) -> ValueHandler[Value]:
    """Return the function of a button that shows, in a reply or a dialog, what `read` returns for the person and
    the fields of the value.
    """

    async def handler(context: Context, interaction: UserInteraction, value: Value) -> Outcome:
        found = await read(context.deps, interaction.person, **dict(value))
        shown = view(found, context.reader(interaction.person))
        if isinstance(shown, Modal):
            return OpenModal(modal=shown)
        return Reply(content=shown, replaces_original=replaces_original)

    return handler


@contextmanager
def below(field: Field, *errors: type[GpubotError]) -> Iterator[None]:
    """Show one of these errors below an input of the submitted dialog, which stays open: raise InvalidForm."""
    try:
        yield
    except errors as problem:
        raise InvalidForm({field: problem.words}) from None


def on(control: ActionId[V] | CallbackId[V], handler: ValueHandler[V]) -> tuple[str, ValueHandler[V]]:
    """Return the id of a button or dialog, and its handler. mypy checks here that both have the same type of
    value.
    """
    return control.id, handler
