"""`/gpu policy`: the team's rules, and reading them again."""

from __future__ import annotations

from bot.errors import WrongPolicy
from bot.lifecycle.actions import policy
from handlers.ids import NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.views.answers import rules


async def show(context: Context, interaction: UserInteraction) -> Outcome:
    """Show the rules in words."""
    person = interaction.person
    return Reply(content=rules.shown(await policy.show(context.deps, person), context.reader(person)))


async def reload(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Read the policy file again, and say what changed or what is wrong with it."""
    try:
        done = await policy.reload(context.deps, interaction.person)
    except WrongPolicy as wrong:
        return Reply(content=rules.refused(wrong.lines), refused=True)
    return Reply(content=rules.reloaded(done.keys))
