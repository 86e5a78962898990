"""Durations as people type them: `6h`, `90 min`, `1h30m`, `2h30`, `2 days`."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

_SECONDS = {
    r"(?:weeks?|wks?|w)": 7 * 86400,
    r"(?:days?|d)": 86400,
    r"(?:hours?|hrs?|h)": 3600,
    r"(?:minutes?|mins?|m)": 60,
    r"(?:seconds?|secs?|s)": 1,
}
"""Seconds of each unit, the longest first."""
UNIT = rf"(?:{'|'.join(_SECONDS)})"
_MAX_SECONDS = 1_000_000 * 3600
"""A limit far beyond any lease, but within what a timedelta holds."""
_ONE_TO_TEN = "one two three four five six seven eight nine ten"
NUMBER_WORDS = {word: number for number, word in enumerate(_ONE_TO_TEN.split(), 1)}
_AMOUNT_WORDS = {"half a": Fraction(1, 2), "half an": Fraction(1, 2), "a": Fraction(1), "an": Fraction(1)} | {
    word: Fraction(number) for word, number in NUMBER_WORDS.items()
}
NUMBER = r"(?![1-9]\d{0,2}\.\d{3}(?!\d))\d{1,9}(?:\.\d{1,9})?"
"""Excludes `2.500`, which is two and a half to some people and two thousand to others."""
_AMOUNT = rf"(?:(?<![\d.]){NUMBER}|\b(?:half an?|an?|{'|'.join(NUMBER_WORDS)})\b)"
_HOURS_MINUTES = r"(\d{1,3})h([0-5]\d)"


def _duration_pattern() -> str:
    """Return a pattern in which each unit stands at most once, longer units first. So `6h 2d` are two
    durations."""
    parts = [rf"{_AMOUNT} ?-?{unit}(?![a-z])" for unit in _SECONDS]
    alternatives = []
    for start, part in enumerate(parts):
        smaller_units = (rf"(?:(?: and)? ?(?!\d{{3}}){smaller})?" for smaller in parts[start + 1 :])
        alternatives.append(part + "".join(smaller_units))
    hours_minutes = _HOURS_MINUTES.replace("(", "(?:")
    # `8 h100s` are GPUs, not 8 hours and 100 seconds.
    return rf"(?!{_AMOUNT} -?[a-z]+\d)(?:{hours_minutes}|{'|'.join(alternatives)})(?![a-z0-9])"


DURATION = _duration_pattern()
"""Matches a duration in lower case with single spaces."""
_PARTS = [(re.compile(rf"({_AMOUNT}) ?-?{unit}(?![a-z])"), seconds) for unit, seconds in _SECONDS.items()]


def parse_duration(text: str) -> timedelta:
    """Return the duration of a text that DURATION matches, rounded to seconds."""
    hours_minutes = re.fullmatch(_HOURS_MINUTES, text)
    if hours_minutes is not None:
        return timedelta(hours=int(hours_minutes[1]), minutes=int(hours_minutes[2]))
    total = Fraction(0)
    for part, seconds in _PARTS:
        match = part.search(text)
        if match is not None:
            amount = match.group(1)
            total += seconds * (_AMOUNT_WORDS.get(amount) or Fraction(Decimal(amount)))
    return timedelta(seconds=min(round(total), _MAX_SECONDS))
