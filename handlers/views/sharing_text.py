"""The answer to an owner who lets others into a rental."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.state import State
from bot.model.summary import Shared
from bot.policy.key_lines import add_line, remove_line
from handlers.views import blocks
from handlers.views.blocks import Rendered
from handlers.views.format import plural
from handlers.views.key_lines_text import key_lines
from handlers.views.teammates_text import people_text, without_key_text

ADD_LINES, REMOVE_LINES = 2, 1
"""How many paragraphs of shell lines fit into a message besides the rest of it."""


def shared(result: Shared) -> Rendered:
    """Return how the people get in: with the purchase, or by the line that the owner pastes on the machine."""
    with_key = [name for name in result.names if name not in result.without_key]
    parts = _lines(result, with_key) if result.key_lines else [_goes_in(result, with_key)]
    parts = [part for part in [*parts, without_key_text(result.without_key)] if part]
    return blocks.message("\n".join(parts), *map(blocks.section, parts))


def _goes_in(result: Shared, names: Sequence[str]) -> str:
    if not names:
        return ""
    verb = "gets" if len(names) == 1 else "get"
    return f"{people_text(names)} {verb} in when {result.rental.id} is ready, if its set-up runs."


def _lines(result: Shared, names: Sequence[str]) -> list[str]:
    rental = result.rental
    one = len(names) == 1
    people = people_text(names)
    add, not_added = key_lines(add_line, result.key_lines, ADD_LINES)
    remove, not_removed = key_lines(remove_line, result.removable, REMOVE_LINES)
    if rental.state is State.READY:
        how = f"Paste this on {rental.id}, and {people} {'gets' if one else 'get'} in:"
    else:
        whose = f"the keys of {people}"
        how = f"{rental.id} was bought without {whose}. When it is ready, paste this on it:"
    off = f"This takes the keys of {people} off again:" if remove else "Others on it have the same keys."
    return [how, *add, *_left(not_added), off, *remove, *_left(not_removed)]


def _left(keys: int) -> list[str]:
    return [f"{plural(keys, 'more key')} didn't fit here."] if keys else []
