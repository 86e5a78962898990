"""Sharing a rental with teammates, with `/gpu share` or with the dialog of the rental's card."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bot.errors import NoTeammate
from bot.lifecycle.actions import sharing
from bot.model.state import State
from bot.model.summary import RentalDetails, Shared
from bot.policy.access.keys import add_line, remove_line
from bot.policy.team.roles import MOST_TEAMMATES
from handlers.actions.calling import below, carry_out, on, shows
from handlers.actions.request_form import ONLY_MEMBERS
from handlers.ids import Action, Callback, Field, ShareValue, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction
from handlers.messages.ssh_lines import lines_to_paste
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Part, Rendered
from handlers.phrases.format import Reader
from handlers.phrases.rental_text import machine, people_text, without_key_text


async def share(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    """Share a rental with teammates.

    If the owner has to put the teammates' SSH keys on the machine by hand, the reply contains lines to paste into
    the machine's shell.
    """
    deps, person, rental_id = context.deps, interaction.person, value.rental_id
    if value.people:
        await context.people.look_up(value.people)
    else:
        # One of the teammates can't be looked up in Slack any more. Share the machine with the others all the
        # same; the reply names the missing teammate.
        with suppress(NoTeammate):
            await context.people.look_up(await sharing.teammates_of(deps, person, rental_id))
    action = sharing.Share(rental_id, value.people)
    return await carry_out(context, interaction, action, lambda shared, _: answer(shared))


async def form(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Share a rental with the people chosen in the dialog.

    If the dialog was opened from the rental's card, there is normally no reply, because the card shows these
    people afterwards. There is a reply only if somebody has no SSH key, or if the owner has to paste lines into
    the machine's shell.
    """
    people = interaction.inputs.get(Field.TEAMMATES, "").split()

    def reply(shared: Shared, _: Reader) -> Rendered | None:
        if interaction.origin.on_surface and not shared.key_lines and not shared.without_key:
            return None
        return answer(shared)

    with below(Field.TEAMMATES, NoTeammate):
        await context.people.look_up(people)
        action = sharing.Share(value.rental_id, people, value.version)
        return await carry_out(context, interaction, action, reply)


def add_teammate_dialog(details: RentalDetails) -> Modal:
    """Return the dialog that asks for the people to share a rental with."""
    rental = details.rental
    return blocks.modal(
        Callback.ADD_TEAMMATE,
        f"Share {rental.id}",
        blocks.section(
            f"Teammates can log in to {machine(rental)}. Their SSH keys are added when the machine is rented."
        ),
        blocks.people_select(
            Field.TEAMMATES,
            "Teammates",
            most=MOST_TEAMMATES,
            hint=f"{ONLY_MEMBERS} I'll ask those who have no SSH key for one.",
            required=True,
        ),
        submit="Share",
        value=VersionValue(rental_id=rental.id, version=rental.terms.version),
    )


ADD_LINES, REMOVE_LINES = 2, 1
"""The maximum number of blocks with shell lines that add SSH keys, and with shell lines that remove them.

More blocks would make the reply too long for a Slack message.
"""


def answer(result: Shared) -> Rendered:
    """Return a message that explains how the teammates can log in.

    Either the bot adds their SSH keys when it purchases the machine, or the owner adds them by pasting a line into
    the machine's shell.
    """
    names = [name for name in result.names if name not in result.without_key]
    ways = _with_purchase(result, names)
    if result.key_lines or result.removable:
        ways = [*_add(result, names), *_remove(result, [*names, *result.gone])]
    no_longer = f"{people_text(result.gone)} can no longer be a teammate." if result.gone else ""
    return blocks.of_parts(*ways, blocks.paragraph(no_longer), blocks.paragraph(_without_key(result)), closed=True)


def _without_key(result: Shared) -> str:
    """Return a text that names the people without an SSH key and says how to log in with a new key."""
    rental, no_key = result.rental, without_key_text(result.without_key)
    if not no_key or rental.state is not State.READY:
        return no_key
    return f"{no_key} Afterwards, /gpu share {rental.id} shows the line to paste."


def _with_purchase(result: Shared, names: Sequence[str]) -> list[Part]:
    it = machine(result.rental)
    text = f"{people_text(names)} can log in once {it} is ready, if the vendor runs startup scripts."
    return [blocks.paragraph(text)] if names else []


def _add(result: Shared, names: Sequence[str]) -> list[Part]:
    if not result.key_lines:
        return []
    it, log_in = machine(result.rental), f"so that {people_text(names)} can log in"
    how = f"Paste this on {it} {log_in}:"
    if result.rental.state is not State.READY:
        how = f"When {it} is ready, paste this on the machine {log_in}:"
    return lines_to_paste(how, add_line, result.key_lines, ADD_LINES)


def _remove(result: Shared, names: Sequence[str]) -> list[Part]:
    if not result.removable:
        same = "because other people on the machine have the same keys"
        return [blocks.paragraph(f"I can't give you a line that removes these keys again, {same}.")]
    how = f"To remove the keys of {people_text(names)} again, paste this on the machine:"
    return lines_to_paste(how, remove_line, result.removable, REMOVE_LINES)


ON = (
    on(Action.ADD_TEAMMATE, shows(sharing.rental_to_share, lambda details, _: add_teammate_dialog(details))),
    on(Action.SHARE, share),
    on(Callback.ADD_TEAMMATE, form),
)
