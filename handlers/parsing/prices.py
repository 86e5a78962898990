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
    rf"|({AMOUNT})(?= ?/ ?(?:{_HOUR}|{_GPU}){_END}| per (?:{_HOUR}|{_GPU}){_END})"
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
    """An amount of dollars, and what was said about it."""

    amount: Decimal
    per_gpu: bool = False
    per_hour: bool = False
    total: bool = False
    limit: bool = False
    """It is a maximum, as in `$3 or less`."""
    other_unit: str = ""
    """`per day`: a unit that a price here never has."""


NO_MONEY = Money(Decimal(0))


def match_money(text: str, at: int) -> tuple[int, Money] | None:
    """Return where the amount at `at` ends, and what it says. Return None if there is none."""
    found = _MONEY.match(text, at)
    if found is None:
        return None
    end = found.end()
    said: dict[str, bool] = {}
    other = ""
    while suffix := _SUFFIX.match(text, end):
        end = suffix.end()
        kind, word = suffix.lastgroup, suffix.group(suffix.lastgroup or 0)
        if kind in {"slash", "per", "each_time"}:
            if re.fullmatch(_GPU, word):
                kind = "gpu"
                gpu_hour = _GPU_HOUR.match(text, end)
                if gpu_hour is not None:
                    said["hour"] = True
                    end = gpu_hour.end()
            elif re.fullmatch(_HOUR, word):
                kind = "hour"
            else:
                other = other or suffix.group().strip()
        said[kind or ""] = True
    amount = Decimal(next(group for group in found.groups() if group is not None))
    return end, Money(
        amount,
        per_gpu="gpu" in said,
        per_hour="hour" in said,
        total="total" in said or ("budget" in said and "hour" not in said),
        limit="limit" in said or "budget" in said,
        other_unit=other,
    )
