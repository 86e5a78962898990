"""What admins do with rentals whose owner left the workspace."""

from __future__ import annotations

from bot.errors import Mistake
from bot.lifecycle.service import ownership
from handlers.ids import Field, RentalValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, UserInteraction
from handlers.views import owner_left as views


async def open_give(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Open the dialog that asks who becomes the owner."""
    rental = await ownership.preview_change(context.deps, interaction.person, value.rental_id)
    return OpenModal(modal=views.give_rental(rental))


async def give(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Make the person who was chosen the owner. The message says so."""
    chosen = interaction.inputs.get(Field.OWNER, "")
    if not chosen:
        return FieldErrors(errors={Field.OWNER: "Choose a person."})
    try:
        owner = await context.people.get(chosen)
        await ownership.change_owner(context.deps, interaction.person, value.rental_id, owner)
    except Mistake as problem:
        return FieldErrors(errors={Field.OWNER: problem.words})
    return None


async def ask_again(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Ask again tomorrow. The message says so."""
    await ownership.ask_again(context.deps, interaction.person, value.rental_id)
    return None
