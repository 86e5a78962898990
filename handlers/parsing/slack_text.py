"""Turns the text that Slack sends into what a person typed, and splits off the note."""

from __future__ import annotations

import re

from bot.model.text import one_line

MAX_NOTE_LENGTH = 200
"""Longer notes are cut."""

MENTION = re.compile(r"<@([UW][A-Z0-9]{1,20})(?:\|[^<>]{0,100})?>", re.IGNORECASE)
"""A mention of a person: `<@U123|ben>` in a command, `<@U123>` elsewhere."""
_MARKUP = re.compile(r"<([^<>\s][^<>]*)>")
# `--eu` and `—eu` (phones turn two hyphens into one long dash) are options. If they were read as notes, the option
# would be dropped silently and something else rented.
_NOTE_DASH = re.compile(r"(?:(?:^|(?<=\s))(?:-{2,}|\u2013+)|(?<![\u2014\u2015])[\u2014\u2015]+)(?=\s|$)")
# `2 – 4 hours` has no note that says "4 hours".
_NUMBER_BEFORE = re.compile(r"(?:^|(?<=\s))\$?\d{1,2}(?:[.,]\d+)?\s+$")
_NUMBER_AFTER = re.compile(r"\s+\$?\d")


def plain_text(text: str) -> str:
    """Return a command's text without Slack's markup and escapes.

    Their rules are in "Formatting message text" in Slack's docs. A mention becomes `@name` or `#name`, a link
    becomes its label. Line breaks stay. Invisible characters are removed, such as the marks of reading direction
    that phones put around a pasted word.
    """
    return name_mentions(text_with_mentions(text))


def text_with_mentions(text: str) -> str:
    """Return a text as `plain_text` does, but leave the mentions of people as they are."""
    text = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    text = _MARKUP.sub(
        lambda markup: markup.group() if MENTION.fullmatch(markup.group()) else _label(markup), text
    )
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def as_slack_sends_it(text: str) -> str:
    """Return a text without mentions as Slack sends it if somebody types it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def name_mentions(text: str) -> str:
    """Return a text in which each mention of a person is `@name`, or `@U123` if Slack sent no name."""
    return MENTION.sub(_label, text)


def _label(markup: re.Match[str]) -> str:
    target, _, label = markup.group()[1:-1].partition("|")
    if not target:
        return label
    if target[0] in "@#":
        sign = target[0]
        return sign + (label or target[1:]).removeprefix(sign)
    if target.startswith("!"):
        return "@" + (label or target[1:].split("^")[0]).removeprefix("@")
    return label or target.removeprefix("mailto:")


def split_note(text: str) -> tuple[str, str]:
    """Return the request and its note. The note is on one line, and cut if it is too long.

    A note comes after `--` or a long dash that a space follows.
    """
    for dash in _NOTE_DASH.finditer(text):
        may_be_range = dash.group()[0] != "-" and _NUMBER_AFTER.match(text, dash.end())
        if not (may_be_range and _NUMBER_BEFORE.search(text[max(dash.start() - 20, 0) : dash.start()])):
            return text[: dash.start()], one_line(text[dash.end() :], MAX_NOTE_LENGTH)
    return text, ""
