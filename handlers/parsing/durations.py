"""Durations as people type them: `6h`, `90 min`, `1h30m`, `2h30`, `2 days`."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

_UNITS = {
    r"(?:weeks?|wks?|w)": 7 * 86400,
    r"(?:days?|d)": 86400,
    r"(?:hours?|hrs?|h)": 3600,
    r"(?:minutes?|mins?|m)": 60,
    r"(?:seconds?|secs?|s)": 1,
}
"""Longest first."""
UNIT = rf"(?:{'|'.join(_UNITS)})"
_LONGEST = 1_000_000 * 3600
"""Far beyond any lease, and within what a timedelta holds."""
NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1
    )
}
_SAID = {"half a": Fraction(1, 2), "half an": Fraction(1, 2), "a": Fraction(1), "an": Fraction(1)} | {
    word: Fraction(number) for word, number in NUMBER_WORDS.items()
}
NUMBER = r"(?![1-9]\d{0,2}\.\d{3}(?!\d))\d{1,9}(?:\.\d{1,9})?"
"""Not `2.500`: that is two and a half to some and two thousand to others."""
_AMOUNT = rf"(?:(?<![\d.]){NUMBER}|\b(?:half an?|an?|{'|'.join(NUMBER_WORDS)})\b)"
_HOURS_MINUTES = r"(\d{1,3})h([0-5]\d)"


def _span() -> str:
    """Each unit at most once and the longer ones first: `6h 2d` are two durations."""
    parts = [rf"{_AMOUNT} ?-?{unit}(?![a-z])" for unit in _UNITS]
    from_each = []
    for start, part in enumerate(parts):
        from_each.append(
            part + "".join(rf"(?:(?: and)? ?(?!\d{{3}}){smaller})?" for smaller in parts[start + 1 :])
        )
    hours_minutes = _HOURS_MINUTES.replace("(", "(?:")
    # `8 h100s` are GPUs, not 8 hours and 100 seconds.
    return rf"(?!{_AMOUNT} -?[a-z]+\d)(?:{hours_minutes}|{'|'.join(from_each)})(?![a-z0-9])"


SPAN = _span()
"""Matches a duration in lower case with single spaces."""
_PARTS = [(re.compile(rf"({_AMOUNT}) ?-?{unit}(?![a-z])"), seconds) for unit, seconds in _UNITS.items()]


def read_span(text: str) -> timedelta:
    """Return the duration of a text that SPAN matches, to the whole second."""
    short = re.fullmatch(_HOURS_MINUTES, text)
    if short is not None:
        return timedelta(hours=int(short[1]), minutes=int(short[2]))
    seconds = Fraction(0)
    for part, unit in _PARTS:
        match = part.search(text)
        if match is not None:
            number = match.group(1)
            seconds += unit * (_SAID.get(number) or Fraction(Decimal(number)))
    return timedelta(seconds=min(round(seconds), _LONGEST))
