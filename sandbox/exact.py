"""JSON whose numbers are exact: a Decimal is written digit by digit, never through a float."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

# Numbers with more digits than this are written with an exponent, lest 1E+999999999 fill the memory.
_PLAIN = 30


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds, such as 2026-11-24T14:33:00.000000Z. Wants an aware time."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dumps(value: Any) -> str:
    """JSON text of dicts, lists, strings, numbers, booleans and None, and also of Decimals and aware times.

    Raises TypeError for anything else and ValueError for numbers that JSON has no word for.
    """
    if isinstance(value, Enum):
        return dumps(value.value)
    if value is None or isinstance(value, bool | int | str | float):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no JSON number")
        return format(value, "f") if abs(value.adjusted()) < _PLAIN else str(value)
    if isinstance(value, datetime):
        return json.dumps(iso(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dumps, value)) + "]"
    raise TypeError(f"no JSON for {type(value).__name__}")
