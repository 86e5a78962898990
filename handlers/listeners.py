"""Attaches every listener to the app."""

from __future__ import annotations

import re

from slack_bolt.app.async_app import AsyncApp

from handlers import actions, commands, events, modals, visit
from handlers.boundary import guarded
from handlers.context import Context

ANYTHING = re.compile("")


def register(app: AsyncApp, context: Context) -> None:
    """Once for an app. Importing the handlers attaches nothing. `boundary.note_commit` must be told of commits."""
    app.command(commands.COMMAND)(guarded(context, visit.command, commands.gpu))
    # Every button and every dialog, also those of a version that is gone: they are told so instead of failing.
    app.action({"type": "block_actions", "action_id": ANYTHING})(guarded(context, visit.click, actions.click))
    app.view(ANYTHING)(guarded(context, visit.submission, modals.submitted))
    for kind, handler in events.HANDLERS.items():
        app.event(kind, middleware=[events.kept(context, kind, handler)])(events.nothing_more)
