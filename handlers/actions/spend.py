"""`/gpu spend`: what was spent."""

from __future__ import annotations

from bot.lifecycle.actions import spend as service
from bot.model.budget import Scope, ScopeKind
from bot.model.message import to_person
from bot.model.spend import RowsOf
from bot.policy.team.roles import may_use
from handlers.ids import RentalValue, SpendRowsValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.typed import commands
from handlers.views.answers import spend


async def ask(context: Context, interaction: UserInteraction, command: commands.Spend) -> Outcome:
    """Reply with what was spent."""
    name = interaction.person.id if command.kind is ScopeKind.PERSON else command.project
    return await _report(context, interaction, Scope(kind=command.kind, name=name), command.period)


async def show(context: Context, interaction: UserInteraction, value: SpendRowsValue) -> Outcome:
    """Reply with what was spent in another period, or in other rows. The reply takes the place of the one that was
    clicked."""
    return await _report(context, interaction, value.scope, value.period, value.rows)


async def show_owner(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply privately with what a rental's owner spent this month, for somebody who decides about a request."""
    month = await service.month_of_owner(context.deps, interaction.person, value.rental_id)
    return Reply(content=spend.of_owner(month))


async def _report(
    context: Context, interaction: UserInteraction, scope: Scope, period: str, rows: RowsOf | None = None
) -> Outcome:
    person = interaction.person
    report = await service.report(context.deps, person, scope, period, rows)
    # Finance may ask where the bot may not be used otherwise, so it is answered in direct messages.
    to = interaction.reply_to if may_use(person, context.deps.rules) else to_person(person.id)
    return Reply(content=spend.report(report, context.reader(person)), replaces_original=True, to=to)
