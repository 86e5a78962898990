"""Finds private keys in payloads: one check for all commands, buttons and modals.

Payload shapes: docs.slack.dev/reference/interaction-payloads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.model.base import changed
from bot.policy.access.keys import looks_private
from handlers.listeners.interaction import Interaction, InteractionKind, Origin, part, text

MOST_ON_LOOP = 500
"""Characters that are searched on the event loop. It takes less time than a thread."""


async def find_private_keys(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the input blocks that hold a private key. Add "" if a command's text, a modal's metadata
    or a button holds one. Search long texts in a thread: texts that look nearly like keys take long."""
    view = part(body, "view")
    inputs = {**part(part(body, "state"), "values"), **part(part(view, "state"), "values")}
    others = [text(body, "text"), text(view, "private_metadata"), body.get("actions")]
    texts = [*((str(block_id), one) for block_id, element in inputs.items() for one in _texts(element))]
    texts += [("", one) for one in _texts(others)]

    def found() -> list[str]:
        return list(dict.fromkeys(where for where, one in texts if looks_private(one)))

    if sum(len(one) for _, one in texts) <= MOST_ON_LOOP:
        return found()
    return await asyncio.to_thread(found)


def without_private_keys(interaction: Interaction, found: Sequence[str]) -> Interaction:
    """Return an interaction without everything that people typed. Also leave out what a modal's metadata holds if
    `find_private_keys` found a private key there."""
    metadata = {"origin": Origin()}
    from_metadata = interaction.kind is InteractionKind.SUBMISSION and "" in found
    return changed(interaction, text="", value="", inputs={}, **(metadata if from_metadata else {}))


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
