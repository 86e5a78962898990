"""The people whom an owner lets in, in messages to that owner."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.views.format import as_written, escape, listed

NAMED = 5
"""How many people are named. The others are counted."""


def people_text(names: Sequence[str]) -> str:
    """Return `Ben and Cleo` for display names, which pings nobody."""
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return listed([*(as_written(escape(name, 40)) for name in names[:NAMED]), *more])


def without_key_text(names: Sequence[str], then: str = "I asked for one") -> str:
    """Return that people have no SSH key, and what the bot does about it: `then`. Return an empty text for
    nobody."""
    if not names:
        return ""
    people = people_text(names)
    if len(names) == 1:
        return f"{people} has no SSH key yet; {then}. Without it, {people} can't get in."
    return f"{people} have no SSH key yet; {then}. Without it, they can't get in."
