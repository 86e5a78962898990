"""Reads fields of untrusted JSON. A value that can't be used becomes None; only `decode` raises an error."""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final

from bot.model.text import one_line

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,18})?")
_MAX_INTEGER = 10**12
_MAX_DIGITS = 12
_MIN_EXPONENT = -30
_MAX_MAGNITUDE = 400
"""The maximum length of a number in characters, and its maximum exponent.

Arithmetic with a longer or larger number could raise an error.
"""
_MIN_RATE = Decimal("0.000001")
_MAX_RATE = Decimal(1_000_000)
# A time outside this range isn't a real time, so it is treated as missing. Many programs write the year 1 or 1970
# to say "never", and the year 9999 to say "forever".
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class Unreadable(Enum):
    """The type of UNREADABLE."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE
"""A stand-in for a value that can't be used. Each function of this module returns None for it.

`decode` puts it in place of NaN, Infinity and numbers out of range. If an object has the same key twice with
different values, the value becomes UNREADABLE too. An error would make a whole list of offers unusable because of
one such value.
"""


class NotJson(ValueError):
    """The body of an answer isn't JSON, or is nested too deeply."""


def decode(content: bytes) -> object:
    """Decode JSON. Numbers with a decimal point become exact Decimals.

    Raises NotJson if the text isn't JSON, or is nested too deeply.
    """
    try:
        return json.loads(
            content,
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=lambda _: UNREADABLE,
            object_pairs_hook=_object,
        )
    # `from None` hides the original error in the traceback. That error contains the whole body of the response,
    # which could otherwise appear in the log.
    except RecursionError:
        raise NotJson("nested too deep") from None
    except ValueError:
        raise NotJson("no JSON") from None


def _decimal(digits: str) -> Decimal | Unreadable:
    try:
        found = Decimal(digits) if len(digits) <= _MAX_MAGNITUDE else None
    except InvalidOperation:  # an exponent that is too large for a Decimal
        found = None
    return found if found is not None and abs(found.adjusted()) <= _MAX_MAGNITUDE else UNREADABLE


def _whole(digits: str) -> int | Unreadable:
    return int(digits) if len(digits) <= _MAX_MAGNITUDE else UNREADABLE


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        contradictory = {name for name, value in pairs if found[name] != value}
        found |= dict.fromkeys(contradictory, UNREADABLE)
    return found


def text(value: object, limit: int = 100) -> str | None:
    """Return a text as one line, cut off after `limit` characters. Returns None if there is no text."""
    return (one_line(value, limit) or None) if isinstance(value, str) else None


def word(value: object) -> str | None:
    """Return a status in lower case."""
    found = text(value, 60)
    return None if found is None else found.lower()


def ident(value: object) -> str | None:
    """Return an ID as text, or None if the ID isn't safe to use in the path of a URL."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**18 else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def number(value: object) -> Decimal | None:
    """Parse a number, or a text that contains a number.

    Returns None for infinity, and for a number that is implausibly large or has too many decimal places.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < _MAX_INTEGER else None
    # Compare the number of digits instead of the values: for a very large number, abs() raises Overflow.
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _MIN_EXPONENT or value.adjusted() >= _MAX_DIGITS:
        return None
    return value


def amount(value: object) -> Decimal | None:
    """Parse a number. Returns None if the number is negative."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def whole(value: object, low: int, high: int) -> int | None:
    """Parse a whole number from `low` to `high`, such as `8` or `8.0`. Returns None for any other value."""
    found = number(value)
    if found is None or found != found.to_integral_value() or not low <= found <= high:
        return None
    return int(found)


def rate(value: Decimal | None) -> Decimal | None:
    """Return a price per hour unchanged, or None if the price is implausible.

    A plausible price is at least a micro-dollar and at most a million dollars.
    """
    return value if value is not None and _MIN_RATE <= value <= _MAX_RATE else None


def instant(value: object) -> datetime | None:
    """Return a time in UTC. A time without an offset is taken to be in UTC."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        found = datetime.fromisoformat(value.strip().upper())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if _EARLIEST <= found <= _LATEST else None


def end_of(start: datetime | None, value: object) -> datetime | None:
    """Parse an end time in the same way as `instant` does, but return None if the end is earlier than `start`.

    If an end before the start were used, the resource's cost would be calculated as zero, and people would read
    that the machine is free.
    """
    found = instant(value)
    return None if found is not None and start is not None and found < start else found


def entries(value: object) -> list[dict[str, object]]:
    """Return those entries of a list that are objects. Returns an empty list if `value` isn't a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def field(value: object, name: str) -> object:
    """Return a field of an object, or None if `value` isn't an object or lacks the field."""
    return value.get(name) if isinstance(value, dict) else None


# --- a machine's address. People paste it into a shell as part of an SSH command, so only an IP address or a host
# name is accepted


SSH_PORT = 22
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_ALL_DIGITS = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
_DESTINATION = re.compile(r"(?:[a-z_][a-z0-9_.-]{0,31}@)?(\S+)", re.IGNORECASE)
_OPTIONS_WITH_VALUE = frozenset({"-i", "-l", "-o", "-J", "-F"})


def host(value: object) -> str | None:
    """Return an IP address or host name in its standard form, or None for any other value.

    Loopback addresses are accepted.
    """
    if not isinstance(value, str) or len(value) > 260 or not value.isascii():
        return None
    written = value.strip().lower()
    try:
        address = ipaddress.ip_address(written.removeprefix("[").removesuffix("]"))
    except ValueError:
        is_name = _HOST_NAME.fullmatch(written) and not _ALL_DIGITS.fullmatch(written)
        return written if is_name else None
    # Reject an IPv6 address with a scope, such as `fe80::1%eth0`. The text after `%` can contain anything, and it
    # has a meaning only on the machine that wrote it.
    if "%" in written or address.is_unspecified or address.is_multicast:
        return None
    return str(address)


def port(value: object) -> int | None:
    """Return `value` as a TCP port, or None if it isn't one."""
    return whole(value, 1, 65535)


def _from_command(value: object) -> tuple[str | None, int | None]:
    """Parse host and port from a command `ssh [-p PORT] [USER@]HOST`. Returns (None, None) for any other command.

    The user is ignored, because it is root at every vendor (docs/compute-clear.md, "Status and resources").
    """
    if not isinstance(value, str) or len(value) > 500:
        return None, None
    words = value.split()
    if not words or words[0] != "ssh":
        return None, None
    found_host: str | None = None
    found_port: int | None = None
    rest = iter(words[1:])
    for part in rest:
        if part == "-p":
            found_port = port(next(rest, None))
        elif part.startswith("-p"):
            found_port = port(part[2:])
        elif part in _OPTIONS_WITH_VALUE:
            next(rest, None)
        elif part.startswith("-"):
            continue
        elif found_host is None:
            destination = _DESTINATION.fullmatch(part)
            found_host = host(destination.group(1)) if destination else None
            if found_host is None:
                return None, None
        else:  # words after the destination would be run as a command on the machine
            return None, None
    return found_host, found_port


def ssh_address(access: object) -> tuple[str | None, int | None]:
    """Return host and port from the `access` field of a resource, or (None, None) if there is no host.

    The port is 22 if none is given.
    """
    if not isinstance(access, dict):
        return None, None
    command_host, command_port = _from_command(access.get("ssh_command"))
    found_host = host(access.get("external_ip")) or command_host
    if found_host is None:
        return None, None
    return found_host, port(access.get("ssh_port")) or command_port or SSH_PORT
