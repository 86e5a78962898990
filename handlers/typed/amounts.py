"""Parses amounts as people type them.

Durations: `6h`, `90 min`, `1h30m`, `2h30`. Money: `$3`, `3 usd`, `$2.50/GPU/h`, `$20 in total`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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
"""The number of seconds in each unit, longest unit first."""
UNIT = rf"(?:{'|'.join(_SECONDS)})"
_MAX_SECONDS = 1_000_000 * 3600
"""A limit far above any lease, but within the range of a timedelta."""
_ONE_TO_TEN = "one two three four five six seven eight nine ten"
NUMBER_WORDS = {word: number for number, word in enumerate(_ONE_TO_TEN.split(), 1)}
_AMOUNT_WORDS = {"half a": Fraction(1, 2), "half an": Fraction(1, 2), "a": Fraction(1), "an": Fraction(1)} | {
    word: Fraction(number) for word, number in NUMBER_WORDS.items()
}
NUMBER = r"(?![1-9]\d{0,2}\.\d{3}(?!\d))\d{1,9}(?:\.\d{1,9})?"
"""A pattern for numbers. It excludes `2.500`, which means either two and a half or two and a half thousand."""
_AMOUNT = rf"(?:(?<![\d.]){NUMBER}|\b(?:half an?|an?|{'|'.join(NUMBER_WORDS)})\b)"
_HOURS_MINUTES = r"(\d{1,3})h([0-5]\d)"


def _duration_pattern() -> str:
    """Return a pattern for durations such as `1d 6h`.

    In a duration, no unit occurs twice, and longer units come first. So a text such as `6h 2d` is read as two
    durations.
    """
    parts = [rf"{_AMOUNT} ?-?{unit}(?![a-z])" for unit in _SECONDS]
    alternatives = []
    for start, part in enumerate(parts):
        smaller_units = (rf"(?:(?: and)? ?(?!\d{{3}}){smaller})?" for smaller in parts[start + 1 :])
        alternatives.append(part + "".join(smaller_units))
    hours_minutes = _HOURS_MINUTES.replace("(", "(?:")
    # In `8 h100s`, the text means 8 GPUs, and not 8 hours and 100 seconds. The pattern must not match it.
    return rf"(?!{_AMOUNT} -?[a-z]+\d)(?:{hours_minutes}|{'|'.join(alternatives)})(?![a-z0-9])"


DURATION = _duration_pattern()
"""A pattern for a duration in lower case with single spaces."""
_PARTS = [(re.compile(rf"({_AMOUNT}) ?-?{unit}(?![a-z])"), seconds) for unit, seconds in _SECONDS.items()]


def parse_duration(text: str) -> timedelta:
    """Convert a text that matches DURATION to a timedelta, rounded to whole seconds."""
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


# --- amounts of money


AMOUNT = rf"(?:{NUMBER}|\.\d{{1,9}})"
OTHER_CURRENCIES = "€£¥"
AMOUNT_END = rf"(?![\w.,:%{OTHER_CURRENCIES}])"
_END = r"(?![a-z0-9])"
_DOLLARS = rf"(?:usd|dollars?|bucks){_END}"
_HOUR = r"(?:hours?|hrs?|h)"
_GPU = r"(?:gpus?|cards?)"
_MONEY = re.compile(
    rf"(?:us)?\$ ?({AMOUNT})(?: ?{_DOLLARS}|{AMOUNT_END})"
    rf"|usd ?\$? ?({AMOUNT}){AMOUNT_END}"
    rf"|({AMOUNT}) ?(?:\$(?! ?\d)|{_DOLLARS})"
    rf"|({AMOUNT})(?= ?/ ?(?:{_HOUR}|{_GPU}){_END}| (?:per|an?) (?:{_HOUR}|{_GPU}){_END}| hourly{_END})"
    rf"|((?=\d*\.){AMOUNT})(?= each{_END})"
)
_SUFFIX = re.compile(
    rf" ?/ ?(?P<slash>[^\s/-]+)"
    rf"| ?-?per (?P<per>\S+?)(?=[\s/-]|$)"
    rf"| an? (?P<each_time>{_HOUR}|days?|weeks?|months?|minutes?|{_GPU}){_END}"
    rf"|(?P<hour> hourly| and {_HOUR}){_END}"
    rf"|(?P<gpu> each){_END}"
    rf"|(?P<total> (?:in )?total| in all| all in| altogether| overall){_END}"
    rf"|(?P<budget> budget){_END}"
    rf"|(?P<limit> (?:max(?:imum)?|or less|tops)){_END}(?! ?\$?\d)"
)
_GPU_HOUR = re.compile(rf"(?:-| ){_HOUR}{_END}")


@dataclass(frozen=True)
class Money:
    """An amount of dollars, and the meaning of the words around it, such as `per GPU` or `max`."""

    amount: Decimal
    per_gpu: bool = False
    per_hour: bool = False
    total: bool = False
    """True if the amount is for the whole rental, as in `$20 in total`."""
    limit: bool = False
    """True if the amount is a maximum, as in `$3 or less`."""
    after_for: bool = False
    """True if the amount follows `for`.

    `for $20` is the price of the whole rental, unless the text says "per hour".
    """
    other_unit: str = ""
    """The unit after the amount, if prices can't have this unit, as in `$50 per day`."""


NO_MONEY = Money(Decimal(0))


def match_money(text: str, start: int) -> tuple[int, Money] | None:
    """Parse the amount of money that begins at `start`. Return the position after it, and the amount.

    None if there is no amount of money at this position.
    """
    match = _MONEY.match(text, start)
    if match is None:
        return None
    end = match.end()
    suffixes: set[str] = set()
    other_unit = ""
    while suffix := _SUFFIX.match(text, end):
        end = suffix.end()
        kind = suffix.lastgroup or ""
        if kind in {"slash", "per", "each_time"}:
            unit = suffix.group(kind)
            if re.fullmatch(_GPU, unit):
                kind = "gpu"
                gpu_hour = _GPU_HOUR.match(text, end)
                if gpu_hour is not None:
                    suffixes.add("hour")
                    end = gpu_hour.end()
            elif re.fullmatch(_HOUR, unit):
                kind = "hour"
            else:
                other_unit = other_unit or suffix.group().strip()
        suffixes.add(kind)
    return end, Money(
        Decimal(next(group for group in match.groups() if group is not None)),
        per_gpu="gpu" in suffixes,
        per_hour="hour" in suffixes,
        total="total" in suffixes or ("budget" in suffixes and "hour" not in suffixes),
        limit="limit" in suffixes or "budget" in suffixes,
        other_unit=other_unit,
    )
