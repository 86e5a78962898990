"""Finds private keys in payloads: one check for all commands, buttons and modals.

Payload shapes: docs.slack.dev/reference/interaction-payloads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.model.base import changed
from bot.policy.keys import looks_private
from handlers.listeners.interaction import Interaction, part, text


def find_private_keys(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the input blocks that hold a private key, then "" if a command's text, a modal's metadata
    or a button holds one."""
    view = part(body, "view")
    inputs = {**part(part(body, "state"), "values"), **part(part(view, "state"), "values")}
    found = [str(block_id) for block_id, element in inputs.items() if _holds_private_key(element)]
    others = (text(body, "text"), text(view, "private_metadata"), body.get("actions"))
    return [*found, ""] if any(map(_holds_private_key, others)) else found


def without_private_keys(interaction: Interaction) -> Interaction:
    """Return an interaction without its inputs and without any text that holds a private key."""
    emptied = {name: "" for name, value in interaction if isinstance(value, str) and looks_private(value)}
    return changed(interaction, **emptied, inputs={})


def _holds_private_key(value: object) -> bool:
    return any(map(looks_private, _texts(value)))


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a JSON value. Recursion would fail for a value that is nested too deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
