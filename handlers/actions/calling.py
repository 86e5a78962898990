"""Calls the actions of `bot/lifecycle/actions` for buttons, dialogs and typed commands.

Each action has one handler in this package. The action's button, dialog and typed command all lead to this
handler. It creates the action and passes it to `carry_out`, together with two functions. One returns the dialog in
which the person confirms the action. The other returns the reply after the action.

Many handlers need no code of their own. `does` creates the handler of a button or dialog whose value contains all
arguments of an action. `shows` creates the handler of a button that only shows something. The constant `ON` of
each module maps buttons and dialogs to their handlers.
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
"""The handler of a button or dialog. `V` is the type of the value that the button or dialog carries."""


def no_reply(_: object, __: Reader) -> None:
    """Return no reply, because the messages about the rental already show what was done."""


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
    """Carry out an action and return the reply, or return the dialog in which the person confirms the action.

    The dialog is returned if the action needs a confirmation, for example because it is expensive. If this
    interaction is the submission of that dialog, or if the action has no dialog, the action is carried out
    immediately. Raises the same errors as the action.

    Args:
        reply: Returns the reply for the result of the action, or None for no reply.
        dialog: Returns the dialog, which shows the effect and the cost of the action.
        replaces_original: Replace the clicked message with the reply, if only this person sees that message.
        unless_shown: Omit the reply if the bot keeps the clicked message up to date. That message then shows the
            result.
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
    """Return the handler of a button or dialog that carries out an action.

    `make` creates the action. Its keyword arguments are the fields in the value of the button or dialog.
    `carry_out` describes the other arguments of `does`.
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
    """Return the handler of a button that only shows something, in a reply or a dialog.

    `read` loads the data. Its arguments are the person who clicked and the fields of the button's value. `view`
    turns the data into the reply or dialog.
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
    """Show errors of these types below an input of the submitted dialog. The dialog stays open.

    If the `with` block raises such an error, InvalidForm is raised instead.
    """
    try:
        yield
    except errors as problem:
        raise InvalidForm({field: problem.words}) from None


def on(control: ActionId[V] | CallbackId[V], handler: ValueHandler[V]) -> tuple[str, ValueHandler[V]]:
    """Return the ID of a button or dialog together with its handler, as an entry of `ON`.

    The signature lets mypy check that the handler expects the type of value that the button or dialog carries.
    """
    return control.id, handler
