"""Writes JSON with exact numbers: a Decimal keeps all of its digits and never becomes a float."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

# The number of digits up to which a number is written in full. Longer numbers are written with an exponent,
# because 1E+999999999 in full would fill the memory.
_MAX_DIGITS = 30


def iso(moment: datetime) -> str:
    """Format an aware time as ISO 8601 in UTC with microseconds, such as `2026-11-24T14:33:00.000000Z`.

    Raises ValueError if the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dumps(value: Any) -> str:
    """Serialize a value as JSON. In addition to the usual types, it may contain enums, Decimals and aware times.

    Raises:
        ValueError: JSON can't express a number, such as NaN, or a time is naive.
        TypeError: The value contains another type.
    """
    if isinstance(value, Enum):
        return dumps(value.value)
    if value is None or isinstance(value, bool | int | str | float):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no JSON number")
        return format(value, "f") if abs(value.adjusted()) < _MAX_DIGITS else str(value)
    if isinstance(value, datetime):
        return json.dumps(iso(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dumps, value)) + "]"
    raise TypeError(f"no JSON for {type(value).__name__}")
