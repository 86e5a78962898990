"""Durations as people type them: `6h`, `90 min`, `1h30m`, `2 days`."""

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
_NUMBER = r"(?:\d{1,9}(?:\.\d{1,9})?|\bhalf an?\b|\ban?\b|\bone\b)"


def _span() -> str:
    """Each unit at most once and the longer ones first: `6h 2d` are two durations."""
    parts = [rf"{_NUMBER} ?-?{unit}(?![a-z])" for unit in _UNITS]
    from_each = []
    for start, part in enumerate(parts):
        from_each.append(part + "".join(rf"(?:(?: and)? ?{smaller})?" for smaller in parts[start + 1 :]))
    return rf"(?:{'|'.join(from_each)})(?![a-z0-9])"


SPAN = _span()
"""Matches a duration in lower case with single spaces."""
_PARTS = [(re.compile(rf"({_NUMBER}) ?-?{unit}(?![a-z])"), seconds) for unit, seconds in _UNITS.items()]


def read_span(text: str) -> timedelta:
    """The duration of a text that SPAN matches, to the whole second."""
    seconds = Fraction(0)
    for part, unit in _PARTS:
        match = part.search(text)
        if match is not None:
            number = match.group(1)
            seconds += unit * (
                Fraction(Decimal(number)) if number[0].isdigit() else Fraction(1, 2 if number[0] == "h" else 1)
            )
    return timedelta(seconds=min(round(seconds), _LONGEST))
