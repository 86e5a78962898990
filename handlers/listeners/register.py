"""Attaches every listener to the app."""

from __future__ import annotations

import re

from slack_bolt.app.async_app import AsyncApp

from handlers.listeners import buttons, commands, interaction, modals, slack_events
from handlers.listeners.context import Context
from handlers.listeners.wrapper import make_listener

ANYTHING = re.compile("")


def register(app: AsyncApp, context: Context) -> None:
    """Attach the listeners, once for an app. The store must call `wrapper.note_commit` after each commit."""
    app.command(commands.COMMAND)(make_listener(context, interaction.command, commands.gpu))
    # Listen to buttons and dialogs of older versions too: without a listener, people would only see that Slack
    # failed.
    app.action({"type": "block_actions", "action_id": ANYTHING})(
        make_listener(context, interaction.click, buttons.click)
    )
    app.view(ANYTHING)(make_listener(context, interaction.submission, modals.submitted))
    for kind, handler in slack_events.HANDLERS.items():
        app.event(kind, middleware=[slack_events.handled_before_ack(context, kind, handler)])(
            slack_events.already_handled
        )
