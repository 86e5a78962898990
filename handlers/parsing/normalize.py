"""Typed text on one line, with the signs that people, phones and shells put in place of others undone."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans(
    dict.fromkeys("×✕✖*", "x")
    | dict.fromkeys("\"'`´“”„‘’‚«»()[]{}|;!?=_•", " ")
    | {"≤": "<", "‐": "-", "‑": "-", "−": "-"}
)
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*]*\S)\*(?![\w*])")
_OWNED = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
_WHOLE = r"(?<![\w.,])(\$?\d{1,3})"
_DOTS_AND_COMMA = re.compile(rf"{_WHOLE}((?:\.\d{{3}})+),(\d{{1,2}})(?!\d)")
_COMMAS_AND_DOT = re.compile(rf"{_WHOLE}((?:,\d{{3}})+)(?=\.\d{{1,2}}(?!\d))")
_DECIMAL_COMMA = re.compile(rf"{_WHOLE},(\d{{1,2}})(?!\d)")
_SEPARATING_COMMA = re.compile(r"(?<!\d),|,(?!\d)")
_TIME_OR_COLON = re.compile(r"(?<![A-Za-z0-9:])\d{1,2}:\d\d(?!\d)|:")


def flat(text: str) -> str:
    """The text on one line, with single spaces and without quotation marks, brackets, question marks and the like.

    `2,50` becomes `2.50`; `1.000,50` and `1,000.50` become `1000.50`. A number that can be read in two ways, such
    as `2,500`, stays as it is. So do times of day, such as `18:00`.
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    text = _OWNED.sub("s", text)
    text = _BOLD.sub(r"\1", text).translate(_SIGNS)
    text = _DOTS_AND_COMMA.sub(lambda m: f"{m[1]}{m[2].replace('.', '')}.{m[3]}", text)
    text = _COMMAS_AND_DOT.sub(lambda m: m[1] + m[2].replace(",", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _SEPARATING_COMMA.sub(" ", text)
    text = _TIME_OR_COLON.sub(lambda m: m.group().removeprefix(":") or " ", text)
    return " ".join(word.rstrip(".") for word in text.split() if word.strip("."))


def flat_within(text: str, longest: int) -> str | None:
    """Return what flat makes of the text. Return None if that is longer than `longest`.

    The length is looked at before each costly step. One letter may become eighteen when it is normalized, so a
    text that seems short could keep the event loop, and everybody's commands, waiting.
    """
    spaced = " ".join(text.split())
    if len(spaced) > 2 * longest:
        return None
    composed = unicodedata.normalize("NFKC", spaced)
    if len(composed) > 2 * longest:
        return None
    said = flat(composed)
    return said if len(said) <= longest else None
