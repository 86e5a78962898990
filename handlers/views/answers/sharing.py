"""The answer to an owner who lets others into a rental."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.state import State
from bot.model.summary import Shared
from bot.model.text import plural
from bot.policy.access.keys import add_line, remove_line
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.rental_text import people_text, without_key_text
from handlers.views.answers.ssh_lines import key_lines

ADD_LINES, REMOVE_LINES = 2, 1
"""How many paragraphs of shell lines fit into a message besides everything else."""


def answer(result: Shared) -> Rendered:
    """Return how the people get in: with the purchase, or by the line that the owner pastes on the machine."""
    names = [name for name in result.names if name not in result.without_key]
    gone = f"{people_text(result.gone)} may no longer get in." if result.gone else ""
    ways = _by_line(result, names) if result.key_lines or result.removable else [_with_purchase(result, names)]
    parts = [part for part in (*ways, gone, _without_key(result)) if part]
    return blocks.message("\n".join(parts), *map(blocks.section, parts))


def _without_key(result: Shared) -> str:
    """Return who has no SSH key yet, and how they get in once they have one."""
    rental, no_key = result.rental, without_key_text(result.without_key)
    if not no_key or rental.state is not State.READY:
        return no_key
    return f"{no_key} With it, /gpu share {rental.id} shows the line to paste."


def _with_purchase(result: Shared, names: Sequence[str]) -> str:
    if not names:
        return ""
    verb = "gets" if len(names) == 1 else "get"
    return f"{people_text(names)} {verb} in when {result.rental.id} is ready, if its start-up script runs."


def _by_line(result: Shared, names: Sequence[str]) -> list[str]:
    return [*_add(result, names), *_take_off(result, [*names, *result.gone])]


def _add(result: Shared, names: Sequence[str]) -> list[str]:
    if not result.key_lines:
        return []
    rental_id, verb = result.rental.id, "gets" if len(names) == 1 else "get"
    ready = result.rental.state is State.READY
    paste = f"Paste this on {rental_id}" if ready else f"When {rental_id} is ready, paste this on it"
    how = f"{paste}, and {people_text(names)} {verb} in:"
    lines, left = key_lines(add_line, result.key_lines, ADD_LINES)
    return [how, *lines, *_left(left)]


def _take_off(result: Shared, names: Sequence[str]) -> list[str]:
    if not result.removable:
        return ["I show no line that takes them off again: others on it have the same keys."]
    lines, left = key_lines(remove_line, result.removable, REMOVE_LINES)
    return [f"This takes the keys of {people_text(names)} off again:", *lines, *_left(left)]


def _left(keys: int) -> list[str]:
    return [f"{plural(keys, 'more key')} didn't fit here."] if keys else []
