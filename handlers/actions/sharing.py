"""Letting teammates into a rental: with `/gpu share`, or with the dialog of its card."""

from __future__ import annotations

from contextlib import suppress

from bot.errors import NoTeammate
from bot.lifecycle.actions import sharing
from handlers.ids import Field, ShareValue, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, Reply, UserInteraction
from handlers.views.answers import modals
from handlers.views.answers.sharing import answer


async def share(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    """Let people in. Reply with the lines that put their keys on the machine, if these are needed."""
    deps, person, rental_id = context.deps, interaction.person, value.rental_id
    if value.ids:
        await context.people.look_up(value.ids)
    else:
        with suppress(NoTeammate):  # the reply says who is gone
            await context.people.look_up(await sharing.teammates_of(deps, person, rental_id))
    shared = await sharing.share(deps, person, rental_id, value.ids)
    return Reply(content=answer(shared))


async def open_form(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Open the dialog that asks whom to let in."""
    details = await sharing.rental_to_share(context.deps, interaction.person, value.rental_id, value.version)
    return OpenModal(modal=modals.add_teammate(details, value))


async def form(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Let the chosen people in. The card shows them, so reply only if there is more to say."""
    people = interaction.inputs.get(Field.TEAMMATES, "").split()
    try:
        await context.people.look_up(people)
        shared = await sharing.share(
            context.deps, interaction.person, value.rental_id, people, version=value.version
        )
    except NoTeammate as problem:
        return FieldErrors(errors={Field.TEAMMATES: problem.words})
    if interaction.origin.on_surface and not shared.key_lines and not shared.without_key:
        return None
    return Reply(content=answer(shared))
