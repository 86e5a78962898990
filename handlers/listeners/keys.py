"""Public SSH keys, however they come: with `/gpu key` or from the dialog."""

from __future__ import annotations

from bot.lifecycle.service import previews, queries, quoting
from handlers.listeners.context import Context
from handlers.listeners.interaction import Opens, Outcome, Reply, UserInteraction
from handlers.views import modals, replies


async def save(context: Context, interaction: UserInteraction, line: str) -> Outcome:
    """Checks and stores a key; what waited for one goes on. Raises PrivateKey or Mistake, with nothing stored."""
    saved = await quoting.set_key(context.deps, interaction.person, line)
    return Reply(said=replies.key_saved(saved.key, saved.searches), replaces=True)


async def show(context: Context, interaction: UserInteraction) -> Outcome:
    """One's own key."""
    return Reply(said=replies.key_shown(await queries.own_key(context.deps, interaction.person)))


async def ask(context: Context, interaction: UserInteraction) -> Outcome:
    """The dialog that asks for one."""
    return Opens(view=modals.key(await previews.key_to_replace(context.deps, interaction.person)))
