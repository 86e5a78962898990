"""Asking for an idle machine, giving a machine to somebody, and taking it."""

from __future__ import annotations

from bot.errors import Mistake
from bot.lifecycle.actions import giving
from handlers.ids import EndValue, RentalValue, ShareValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction, reply_unless_shown
from handlers.views.answers import giving as views


async def ask_for(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Ask the owner of an idle machine for it."""
    machine = await giving.ask_for(context.deps, interaction.person, value.rental_id)
    return Reply(content=views.asked(machine))


async def give(context: Context, interaction: UserInteraction, value: ShareValue) -> Outcome:
    """Give a machine to another person, who has an hour to take it.

    Raise Mistake if the value doesn't name exactly one person, as no button of ours does.
    """
    if len(value.ids) != 1:
        raise Mistake(f"A machine goes to one person. Type /gpu give {value.rental_id}, then @, and pick a name.")
    (to,) = value.ids
    await context.people.look_up([to])
    rental, name = await giving.give(context.deps, interaction.person, value.rental_id, to)
    return reply_unless_shown(interaction, views.given(rental, name))


async def take(context: Context, interaction: UserInteraction, value: EndValue) -> Outcome:
    """Take a machine, or open the dialog that confirms it."""
    preview = await giving.take_to_confirm(context.deps, interaction.person, value.rental_id, value.shown_end)
    if preview is not None:
        modal = views.take_confirm(preview.details, preview.left, value, context.reader(interaction.person))
        return OpenModal(modal=modal)
    return await take_confirmed(context, interaction, value)


async def take_confirmed(context: Context, interaction: UserInteraction, value: EndValue) -> Outcome:
    """Take a machine."""
    rental = await giving.take(context.deps, interaction.person, value.rental_id, value.shown_end)
    return reply_unless_shown(interaction, views.taken(rental))
