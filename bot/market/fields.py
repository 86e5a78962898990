"""Fields of any JSON, read without trust. What makes no sense reads as None; nothing here raises but `decode`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final

from bot.model.text import one_line

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,18})?")
_LARGEST = 10**12
_MOST_DIGITS = 12
_FINEST = -30
_FARTHEST = 400
"""Digits of a number, and its power of ten, beyond which it is not kept: arithmetic with it may raise."""
_LOWEST_RATE = Decimal("0.000001")
_HIGHEST_RATE = Decimal(1_000_000)
# Zero times of other languages (year 1, 1970) and "forever" (9999) mean that there is no time.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class Nothing(Enum):
    """Stands for a value that no field can have. Every reader here makes None of it."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Nothing.UNREADABLE
"""A number out of range, NaN, Infinity, or a key that stands twice with different values. It is a value like any
other, so that one such number in one offer does not make the whole answer unusable."""


class NotJson(ValueError):
    """The content of an answer is no JSON, or is nested too deep."""


def decode(content: bytes) -> object:
    """Return the value of a JSON text, with exact Decimals for numbers with a point.

    Raise NotJson if it is none, or is nested too deep.
    """
    try:
        return json.loads(
            content,
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=lambda _: UNREADABLE,
            object_pairs_hook=_object,
        )
    # Without the cause, which holds the whole content.
    except RecursionError:
        raise NotJson("nested too deep") from None
    except ValueError:
        raise NotJson("no JSON") from None


def _decimal(written: str) -> Decimal | Nothing:
    try:
        found = Decimal(written) if len(written) <= _FARTHEST else None
    except InvalidOperation:  # an exponent beyond what a Decimal holds
        found = None
    return found if found is not None and abs(found.adjusted()) <= _FARTHEST else UNREADABLE


def _whole(written: str) -> int | Nothing:
    return int(written) if len(written) <= _FARTHEST else UNREADABLE


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = {name for name, value in pairs if found[name] != value}
        found |= dict.fromkeys(twice, UNREADABLE)
    return found


def text(value: object, limit: int = 100) -> str | None:
    """A text on one line."""
    return (one_line(value, limit) or None) if isinstance(value, str) else None


def word(value: object) -> str | None:
    """A status word, in lower case."""
    found = text(value, 60)
    return None if found is None else found.lower()


def ident(value: object) -> str | None:
    """An id that is safe in a path."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**18 else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def number(value: object) -> Decimal | None:
    """A finite number of a size that anything here can have; also one written as text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < _LARGEST else None
    # Without arithmetic: abs() of a number that is large enough raises Overflow.
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FINEST or value.adjusted() >= _MOST_DIGITS:
        return None
    return value


def amount(value: object) -> Decimal | None:
    """A number that is not below zero."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def whole(value: object, low: int, high: int) -> int | None:
    """A whole number within bounds, also where it was written 8.0."""
    found = number(value)
    if found is None or found != found.to_integral_value() or not low <= found <= high:
        return None
    return int(found)


def rate(value: Decimal | None) -> Decimal | None:
    """A price per hour that somebody could ask for: at least a micro-dollar."""
    return value if value is not None and _LOWEST_RATE <= value <= _HIGHEST_RATE else None


def instant(value: object) -> datetime | None:
    """A moment in UTC; without an offset it is taken as UTC."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        found = datetime.fromisoformat(value.strip().upper())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if _EARLIEST <= found <= _LATEST else None


def end_of(start: datetime | None, value: object) -> datetime | None:
    """Return the moment as `instant` does, but None if it is before the start. What ended before it began would be
    billed as nothing, and told to have cost nothing."""
    found = instant(value)
    return None if found is not None and start is not None and found < start else found


def entries(value: object) -> list[dict[str, object]]:
    """The objects of a list; anything else has none."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def field(value: object, name: str) -> object:
    """A field of an object; None where there is no object or no such field."""
    return value.get(name) if isinstance(value, dict) else None
