"""Attaches every listener to the app, each one by its exact id."""

from __future__ import annotations

from slack_bolt.app.async_app import AsyncApp

from handlers import actions, commands, events, modals, visit
from handlers.boundary import guarded
from handlers.context import Context
from handlers.ids import Action, Callback, pattern


def register(app: AsyncApp, context: Context) -> None:
    """Once for an app. Importing the handlers attaches nothing. `boundary.note_commit` must be told of commits."""
    app.command(commands.COMMAND)(guarded(context, visit.command, commands.gpu))
    for action in Action:
        app.action(pattern(action))(guarded(context, visit.clicking(action), actions.HANDLERS[action]))
    for callback in Callback:
        if callback in modals.HANDLERS:
            app.view(callback.value)(guarded(context, visit.submission, modals.HANDLERS[callback]))
    for kind, handler in events.HANDLERS.items():
        app.event(kind, middleware=[events.kept(context, kind, handler)])(events.nothing_more)
