"""Brings typed text into the one form that the lexer reads."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans(
    dict.fromkeys("×✕✖*", "x")
    | dict.fromkeys("\"'`´“”„‘’‚«»()[]{}|;!?=_•", " ")
    | {"≤": "<", "‐": "-", "‑": "-", "−": "-"}
)
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*]*\S)\*(?![\w*])")
_ODD_NUMERAL = re.compile("([\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2089\u2150-\u215f\u2189\u2460-\u249b])")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
_LEADING_DIGITS = r"(?<![\w.,])(\$?\d{1,3})"
_DOTS_AND_COMMA = re.compile(rf"{_LEADING_DIGITS}((?:\.\d{{3}})+),(\d{{1,2}})(?!\d)")
_COMMAS_AND_DOT = re.compile(rf"{_LEADING_DIGITS}((?:,\d{{3}})+)(?=\.\d{{1,2}}(?!\d))")
_DECIMAL_COMMA = re.compile(rf"{_LEADING_DIGITS},(\d{{1,2}})(?!\d)")
_SEPARATING_COMMA = re.compile(r"(?<!\d),|,(?!\d)")
AM_PM = re.compile(r"(?<=[\d ])([ap])\. ?m\b\.?", re.IGNORECASE)
"""`p.m.`, which `normalize` writes as `pm`."""
_TIME_OR_COLON = re.compile(r"(?<![A-Za-z0-9:])\d{1,2}:\d\d(?!\d)|:")


def normalize(text: str) -> str:
    """Return the text on one line, with single spaces and without quotation marks, brackets and question marks.

    `2,50` becomes `2.50`; `1.000,50` and `1,000.50` become `1000.50`. A number that can be read in two ways, such
    as `2,500`, stays as it is. So do times of day, such as `18:00`.
    """
    text = _composed(text)
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    text = _POSSESSIVE.sub("s", text)
    text = _BOLD.sub(r"\1", text).translate(_SIGNS)
    text = _DOTS_AND_COMMA.sub(lambda m: f"{m[1]}{m[2].replace('.', '')}.{m[3]}", text)
    text = _COMMAS_AND_DOT.sub(lambda m: m[1] + m[2].replace(",", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = AM_PM.sub(r"\1m", text)
    text = _SEPARATING_COMMA.sub(" ", text)
    text = _TIME_OR_COLON.sub(lambda m: m.group().removeprefix(":") or " ", text)
    return " ".join(word.rstrip(".") for word in text.split() if word.strip("."))


def _composed(text: str) -> str:
    """Return the text in NFKC, but leave `²` and `½` as they are: NFKC makes 22 GPUs of `2²`."""
    return "".join(
        part if part.isnumeric() and not part.isdecimal() else unicodedata.normalize("NFKC", part)
        for part in _ODD_NUMERAL.split(text)
    )


def normalize_within(text: str, limit: int) -> str | None:
    """Return the normalized text. Return None if it is longer than `limit`.

    The length is checked before each costly step. NFKC can turn one letter into eighteen, so a text that seems
    short could block the event loop, and with it everybody's commands.
    """
    spaced = " ".join(text.split())
    if len(spaced) > 2 * limit:
        return None
    composed = _composed(spaced)
    if len(composed) > 2 * limit:
        return None
    normalized = normalize(composed)
    return normalized if len(normalized) <= limit else None
