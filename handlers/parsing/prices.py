"""Amounts of money as people type them: `$3`, `3 usd`, `$2.50/GPU/h`, `$20 in total`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from handlers.parsing.durations import NUMBER

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
    """An amount of dollars, and what the words after it add."""

    amount: Decimal
    per_gpu: bool = False
    per_hour: bool = False
    total: bool = False
    """Whether the amount is for everything, as in `$20 in total`."""
    limit: bool = False
    """Whether the amount is a maximum, as in `$3 or less`."""
    other_unit: str = ""
    """A unit that prices can't have here, as in `$50 per day`."""


NO_MONEY = Money(Decimal(0))


def match_money(text: str, start: int) -> tuple[int, Money] | None:
    """Return the end of the amount at `start`, and the amount. Return None if there is none."""
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
