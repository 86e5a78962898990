"""Public SSH keys, with `/gpu key` or from the dialog."""

from __future__ import annotations

from bot.lifecycle.service import previews, queries, quoting
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.views import modals, replies


async def save(context: Context, interaction: UserInteraction, line: str) -> Outcome:
    """Store a key; searches that waited for it go on. Raise PrivateKey or Mistake if it isn't stored."""
    saved = await quoting.set_key(context.deps, interaction.person, line)
    return Reply(content=replies.key_saved(saved.key, saved.searches), replaces_original=True)


async def show(context: Context, interaction: UserInteraction) -> Outcome:
    """Reply with the person's own key."""
    return Reply(content=replies.key_shown(await queries.own_key(context.deps, interaction.person)))


async def open_form(context: Context, interaction: UserInteraction) -> Outcome:
    """Open the dialog that asks for a key."""
    return OpenModal(modal=modals.key(await previews.key_to_replace(context.deps, interaction.person)))
