"""Slack's own writing to plain text: what a person typed."""

from __future__ import annotations

import re

from bot.model.text import one_line

NOTE_LENGTH = 200
"""Longer notes are cut."""

_MARKED = re.compile(r"<([^<>\s][^<>]*)>")
# `--eu` and `—eu` (phones turn two hyphens into one long dash) are options. Taken as a note, the option would be
# dropped in silence and something else rented.
_NOTE = re.compile(r"(?:(?:^|(?<=\s))(?:-{2,}|\u2013+)|[\u2014\u2015]+)(?=\s|$)")
# `2 – 4 hours` has no note that says "4 hours".
_NUMBER_BEFORE = re.compile(r"(?:^|(?<=\s))\$?\d{1,2}(?:[.,]\d+)?\s+$")
_NUMBER_AFTER = re.compile(r"\s+\$?\d")


def plain(text: str) -> str:
    """`text` of a command without Slack's escapes, see "Formatting text" in Slack's docs.

    A mention becomes `@name` or `#name`, a link what is shown of it. Line breaks stay; what nobody sees goes, such
    as the marks of reading direction that phones put round a pasted word.
    """
    text = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    text = _MARKED.sub(_shown, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _shown(marked: re.Match[str]) -> str:
    target, _, label = marked.group(1).partition("|")
    if not target:
        return label
    if target[0] in "@#":
        sign = target[0]
        return sign + (label or target[1:]).removeprefix(sign)
    if target.startswith("!"):
        return "@" + (label or target[1:].split("^")[0]).removeprefix("@")
    return label or target.removeprefix("mailto:")


def split_note(text: str) -> tuple[str, str]:
    """Return what is asked, and the note on one line and cut. A note stands after `--` or a long dash with a space
    behind it."""
    for dash in _NOTE.finditer(text):
        is_range = dash.group()[0] != "-" and _NUMBER_AFTER.match(text, dash.end())
        if not (is_range and _NUMBER_BEFORE.search(text[max(dash.start() - 20, 0) : dash.start()])):
            return text[: dash.start()], one_line(text[dash.end() :], NOTE_LENGTH)
    return text, ""
