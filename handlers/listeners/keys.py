"""Public SSH keys, however they come: with `/gpu key` or from the dialog."""

from __future__ import annotations

import asyncio

from bot.lifecycle.service import quoting
from bot.policy.keys import read_key
from handlers.listeners.context import Context
from handlers.listeners.interaction import Opens, Outcome, Reply, UserInteraction
from handlers.views import modals, replies


async def save(context: Context, interaction: UserInteraction, line: str) -> Outcome:
    """Checks and stores a key; what waited for one goes on. Raises PrivateKey or Mistake, with nothing stored."""
    quoting.check_user(interaction.person, context.deps.rules)
    key = await asyncio.to_thread(read_key, line, context.deps.clock.now())
    searches = await quoting.set_key(context.deps, interaction.person, key)
    return Reply(said=replies.key_saved(key, searches), replaces=True)


async def show(context: Context, interaction: UserInteraction) -> Outcome:
    """One's own key."""
    return Reply(said=replies.key_shown(await quoting.key_of(context.deps, interaction.person)))


async def ask(context: Context, interaction: UserInteraction) -> Outcome:
    """The dialog that asks for one."""
    quoting.check_user(interaction.person, context.deps.rules)
    return Opens(view=modals.key(await quoting.key_of(context.deps, interaction.person)))
