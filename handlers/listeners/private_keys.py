"""Where a payload holds a private key: one check for all commands, buttons and modals.

Payload shapes: docs.slack.dev/reference/interaction-payloads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.model.base import changed
from bot.policy.keys import looks_private
from handlers.listeners.interaction import Interaction, part, text


def places_of_private_keys(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the input blocks that hold a private key, then "" if anything else holds one that a person
    can have typed or that a button or modal carries."""
    view = part(body, "view")
    inputs = {**part(part(body, "state"), "values"), **part(part(view, "state"), "values")}
    places = [str(block) for block, element in inputs.items() if _holds_one(element)]
    others = (text(body, "text"), text(view, "private_metadata"), body.get("actions"))
    return [*places, ""] if any(map(_holds_one, others)) else places


def without_private_keys(interaction: Interaction) -> Interaction:
    """Return an arrival without its inputs and without any text that holds a private key."""
    held = {name: "" for name, value in interaction if isinstance(value, str) and looks_private(value)}
    return changed(interaction, **held, inputs={})


def _holds_one(value: object) -> bool:
    return any(map(looks_private, _texts(value)))


def _texts(value: object) -> Iterator[str]:
    """All texts in a JSON value, however deep it is nested."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
