"""Shell lines about keys, as people copy them from a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handlers.views import blocks
from handlers.views.format import literal

LONG_LINE = blocks.SECTION_TEXT - 10
"""The most bytes of a shell line in a paragraph of its own. The largest RSA key that people can add fits."""


def code(command: str) -> str:
    """Return a command of ours, which has no backtick and no line break, as a code span."""
    return f"`{literal(command)}`"


def size(markup: str) -> int:
    """Return how many bytes a text has."""
    return len(markup.encode())


def key_lines(write: Callable[[Sequence[str]], str], keys: Sequence[str], most: int) -> tuple[list[str], int]:
    """Return at most `most` shell lines for keys, each short enough for a paragraph, and how many keys are left
    out. `write` makes the shell line for some of the keys."""
    groups: list[list[str]] = [[]]
    for key in keys:
        if groups[-1] and size(code(write([*groups[-1], key]))) > LONG_LINE:
            groups.append([])
        groups[-1].append(key)
    shown = [group for group in groups[:most] if group]
    return [code(write(group)) for group in shown], sum(map(len, groups[most:]))
