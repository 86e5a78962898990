"""Prepares messages and views for display by the page.

The result includes the blocks. Each text object in a block is replaced with a list of spans, which are pieces of
text with uniform formatting.
"""

from typing import Any

from sandbox.slack import render
from sandbox.slack.model import Message, Person, View
from sandbox.slack.schema import Json
from sandbox.slack.state import Workspace
from sandbox.slack.values import state_of
from sandbox.slack.visibility import message_seen, view_seen


def message_shown(workspace: Workspace, person: Person, message: Message) -> Json:
    """Return a message in the format of the control call `see`, plus its blocks and the values of its inputs."""
    reader = workspace.reader(person.id)
    blocks = message.blocks or [{"type": "section", "text": {"type": "mrkdwn", "text": message.text}}]
    chosen = workspace.values.get((message.channel, message.ts, person.id), {})
    return message_seen(workspace, person, message) | {
        "author_id": message.author,
        "by_app": message.by_app,
        "blocks": with_spans(blocks, reader),
        "values": state_of(message.blocks, chosen),
    }


def view_shown(workspace: Workspace, view: View | None) -> Json | None:
    """Return a view in the format of the control call `views`, plus its blocks and values.

    None if there is no view.
    """
    if view is None:
        return None
    reader = workspace.reader(view.user)
    blocks = with_spans(view.source["blocks"], reader)
    return view_seen(workspace, view) | {"blocks": blocks, "values": view.values}


def with_spans(value: Any, reader: render.Reader) -> Any:
    """Return a copy in which each text object is replaced with a list of spans.

    A span is an object such as `{"text": "docs", "styles": ["bold"], "url": "https://..."}`.
    """
    if isinstance(value, list):
        return [with_spans(entry, reader) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "mrkdwn":
        return [span.as_json() for span in render.spans(value["text"], reader)]
    if value.get("type") == "plain_text":
        return [render.Span(render.text_object(value, reader)).as_json()]
    return {name: with_spans(entry, reader) for name, entry in value.items()}
