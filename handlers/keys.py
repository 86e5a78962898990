"""Public SSH keys, however they come: with `/gpu key` or from the dialog."""

from __future__ import annotations

import asyncio

from bot.lifecycle.service import quoting
from bot.policy.keys import read_key
from handlers.context import Context
from handlers.views import modals, replies
from handlers.visit import Opens, Outcome, Reply, Visit


async def save(context: Context, visit: Visit, line: str) -> Outcome:
    """Checks and stores a key; what waited for one goes on. Raises PrivateKey or Mistake, with nothing stored."""
    quoting.check_user(visit.person, context.desk.rules)
    key = await asyncio.to_thread(read_key, line, context.desk.clock.now())
    searches = await quoting.set_key(context.desk, visit.person, key)
    return Reply(said=replies.key_saved(key, searches), replaces=True)


async def show(context: Context, visit: Visit) -> Outcome:
    """One's own key."""
    return Reply(said=replies.key_shown(await quoting.key_of(context.desk, visit.person)))


async def ask(context: Context, visit: Visit) -> Outcome:
    """The dialog that asks for one."""
    quoting.check_user(visit.person, context.desk.rules)
    return Opens(view=modals.key(await quoting.key_of(context.desk, visit.person)))
