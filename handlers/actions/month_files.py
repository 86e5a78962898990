"""[CSV]: sends the file of a month's charges."""

from __future__ import annotations

from bot.lifecycle.actions import month_files
from bot.model.budget import MonthPart
from handlers.ids import SpendValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages.money import file_on_its_way


async def send(context: Context, interaction: UserInteraction, value: SpendValue) -> Outcome:
    """Send the file that the reader of a report may see to their direct messages."""
    part = MonthPart(month=value.month, scope=value.scope)
    await month_files.ask_for(context.deps, interaction.person, part)
    return Reply(content=file_on_its_way(part))
