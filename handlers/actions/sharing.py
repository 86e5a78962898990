"""Letting teammates into a rental: with `/gpu share`, or with the dialog of its card."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bot.errors import NoTeammate
from bot.lifecycle.actions import sharing
from bot.model.state import State
from bot.model.summary import RentalDetails, Shared
from bot.model.text import plural
from bot.policy.access.keys import add_line, remove_line
from bot.policy.team.roles import MOST_TEAMMATES
from handlers.actions.calling import below, carry_out, on, shows
from handlers.actions.request_form import ONLY_MEMBERS
from handlers.ids import Action, Callback, Field, ShareValue, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction
from handlers.messages.ssh_lines import key_lines
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.format import Reader
from handlers.phrases.rental_text import describe, people, people_text, without_key_text


async def share(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    """Let people in. Reply with the lines that put their keys on the machine, if these are needed."""
    deps, person, rental_id = context.deps, interaction.person, value.rental_id
    if value.people:
        await context.people.look_up(value.people)
    else:
        with suppress(NoTeammate):  # the reply says who is gone
            await context.people.look_up(await sharing.teammates_of(deps, person, rental_id))
    action = sharing.Share(rental_id, value.people)
    return await carry_out(context, interaction, action, lambda shared, _: answer(shared))


async def form(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Let the chosen people in. The card shows them, so reply only if there is more to say."""
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
    """Return the dialog that asks whom to let into a rental."""
    rental = details.rental
    return blocks.modal(
        Callback.ADD_TEAMMATE,
        f"Add to {rental.id}",
        blocks.section(f"{describe(rental)}, {people(details)}. Their SSH keys go in when it is bought."),
        blocks.people_select(
            Field.TEAMMATES,
            "Teammates",
            most=MOST_TEAMMATES,
            hint=f"{ONLY_MEMBERS} I ask those without a key.",
            required=True,
        ),
        submit="Add",
        value=VersionValue(rental_id=rental.id, version=rental.envelope.version),
    )


ADD_LINES, REMOVE_LINES = 2, 1
"""How many paragraphs of shell lines fit into a message besides everything else."""


def answer(result: Shared) -> Rendered:
    """Return how the people get in: with the purchase, or by the line that the owner pastes on the machine."""
    names = [name for name in result.names if name not in result.without_key]
    gone = f"{people_text(result.gone)} may no longer get in." if result.gone else ""
    ways = [_with_purchase(result, names)]
    if result.key_lines or result.removable:
        ways = [*_add(result, names), *_take_off(result, [*names, *result.gone])]
    parts = [part for part in (*ways, gone, _without_key(result)) if part]
    return blocks.message("\n".join(parts), *map(blocks.section, parts))


def _without_key(result: Shared) -> str:
    """Return who has no SSH key yet, and how they get in once they have one."""
    rental, no_key = result.rental, without_key_text(result.without_key)
    if not no_key or rental.state is not State.READY:
        return no_key
    return f"{no_key} With it, /gpu share {rental.id} shows the line to paste."


def _with_purchase(result: Shared, names: Sequence[str]) -> str:
    if not names:
        return ""
    verb = "gets" if len(names) == 1 else "get"
    return f"{people_text(names)} {verb} in when {result.rental.id} is ready, if its startup script runs."


def _add(result: Shared, names: Sequence[str]) -> list[str]:
    if not result.key_lines:
        return []
    rental_id, verb = result.rental.id, "gets" if len(names) == 1 else "get"
    ready = result.rental.state is State.READY
    paste = f"Paste this on {rental_id}" if ready else f"When {rental_id} is ready, paste this on it"
    how = f"{paste}, and {people_text(names)} {verb} in:"
    lines, left = key_lines(add_line, result.key_lines, ADD_LINES)
    return [how, *lines, *_left(left)]


def _take_off(result: Shared, names: Sequence[str]) -> list[str]:
    if not result.removable:
        return ["I show no line that takes them off again: others on it have the same keys."]
    lines, left = key_lines(remove_line, result.removable, REMOVE_LINES)
    return [f"This takes the keys of {people_text(names)} off again:", *lines, *_left(left)]


def _left(keys: int) -> list[str]:
    return [f"{plural(keys, 'more key')} didn't fit here."] if keys else []


ON = (
    on(Action.ADD_TEAMMATE, shows(sharing.rental_to_share, lambda details, _: add_teammate_dialog(details))),
    on(Action.SHARE, share),
    on(Callback.ADD_TEAMMATE, form),
)
