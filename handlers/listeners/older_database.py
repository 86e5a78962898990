"""What admins do with machines that were bought after the database was saved."""

from __future__ import annotations

from bot.lifecycle.service import older_database as service
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, UserInteraction
from handlers.values import TogetherValue


async def put_all_back(context: Context, interaction: UserInteraction, value: TogetherValue) -> Outcome:
    """Put back what can be put back. The message says so."""
    # An older database may not know the owners, or not that they left.
    await context.people.refresh(
        await service.owners_to_look_up(context.deps, interaction.person, value.purchase_id)
    )
    await service.put_all_back(context.deps, interaction.person, value.purchase_id)
    return None


async def one_by_one(context: Context, interaction: UserInteraction, value: TogetherValue) -> Outcome:
    """Ask about each purchase in a message of its own."""
    await service.one_by_one(context.deps, interaction.person, value.purchase_id)
    return None
