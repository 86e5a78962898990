"""Slack's own writing to plain text: what a person typed."""

from __future__ import annotations

import re

from bot.model.text import one_line

NOTE_LENGTH = 200
"""Longer notes are cut."""

_MARKED = re.compile(r"<([^<>\s][^<>]*)>")
# A dash that begins a note. Two hyphens and an en dash occur within words too, so they stand apart there.
_NOTE = re.compile(r"(?:^|(?<=\s))(?:-{2,}|\u2013)|\u2014+|\u2015+")
# `--region EU` is how people who live in shells type. It must not be swallowed as a note.
_FLAG = re.compile(
    r"(?:^|(?<=\s))--(?=(?:for(?=\s+\d)|region|vendor|provider|contract|lease|count|gpus?|spot|on-?demand|max|max-price|now)"
    r"(?:[\s=]|$))",
    re.IGNORECASE,
)


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
    """What is asked, and the note after `--` or a long dash, on one line and cut."""
    text = _FLAG.sub("", text)
    dash = _NOTE.search(text)
    if dash is None:
        return text, ""
    return text[: dash.start()], one_line(text[dash.end() :], NOTE_LENGTH)
