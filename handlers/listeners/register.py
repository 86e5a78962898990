"""Attaches every listener to the app."""

from __future__ import annotations

import re

from slack_bolt.app.async_app import AsyncApp

from handlers.listeners import actions, commands, events, interaction, modals
from handlers.listeners.context import Context
from handlers.listeners.wrapper import guarded

ANYTHING = re.compile("")


def register(app: AsyncApp, context: Context) -> None:
    """Once for an app. Importing the handlers attaches nothing. `boundary.note_commit` must be told of commits."""
    app.command(commands.COMMAND)(guarded(context, interaction.command, commands.gpu))
    # Every button and every dialog, also those of a version that is gone: they are told so instead of failing.
    app.action({"type": "block_actions", "action_id": ANYTHING})(
        guarded(context, interaction.click, actions.click)
    )
    app.view(ANYTHING)(guarded(context, interaction.submission, modals.submitted))
    for kind, handler in events.HANDLERS.items():
        app.event(kind, middleware=[events.kept(context, kind, handler)])(events.nothing_more)
