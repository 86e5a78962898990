"""The types of single values in the team's rules: durations, money, shares, counts and IDs.

Each type also defines the error message that says how to write such a value.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from bot.model.budget import UNASSIGNED
from bot.model.gpu import is_name
from bot.model.text import one_line
from bot.policy.team.addresses import IpAddress, may_be_reached

LONGEST_SPAN = timedelta(days=366)
"""The longest duration in a policy. It is short enough to be added to any date."""
_SPAN = re.compile(r"(?:([0-9]+)d)? ?(?:([0-9]+)h)? ?(?:([0-9]+)m)? ?(?:([0-9]+)s)?")
_UNITS = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
_GPU_NAME = re.compile(r"[A-Za-z0-9 _.-]{1,40}")
_QUOTED_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,9})?")
_DAY_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2}) ?- ?([0-9]{1,2}):([0-9]{2})")
_WEEK_TIME = re.compile(r"([a-z]{3}) +([0-9]{1,2}):([0-9]{2})")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHARE = re.compile(r"([-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?) ?%")


def _span(value: Any) -> Any:
    """Parse a duration such as `90s`, `15m`, `4h`, `2d` or `1h30m`.

    It must be more than 0 and at most LONGEST_SPAN.
    """
    span = value if isinstance(value, timedelta) else _read_span(value)
    if span is None or span > LONGEST_SPAN:
        raise ValueError(f"it must be at most {LONGEST_SPAN.days} days")
    if span <= timedelta(0):
        raise ValueError("it must be more than 0")
    return span


def _read_span(value: Any) -> timedelta | None:
    """Parse a duration of any length. None if it is too long for a timedelta."""
    if not isinstance(value, str):
        raise ValueError("write it with a unit, such as 15m or 4h")
    match = _SPAN.fullmatch(value.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{shown(value)} is no duration; write it such as 15m, 4h or 1h30m")
    # Reject numbers of more than 9 digits before parsing them. Their value may exceed the largest timedelta
    # (999,999,999 days), and Python refuses to parse numbers with thousands of digits.
    if any(len(number) > 9 for number in match.groups("")):
        return None
    return sum(
        (int(number) * unit for number, unit in zip(match.groups("0"), _UNITS, strict=True)), start=timedelta(0)
    )


def _number(value: Any) -> Any:
    """Return a number, which can also be given as text: `"8"`.

    Raises ValueError for any other text, and for true and false.
    """
    if isinstance(value, str) and _QUOTED_NUMBER.fullmatch(value):
        return Decimal(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("write a number")
    return value


def _whole(value: Any) -> Any:
    number = _number(value)
    if isinstance(number, Decimal):
        raise ValueError("write a whole number")
    return number


def _share(value: Any) -> Any:
    """Parse a share, written as `15%` or 0.15."""
    if isinstance(value, str) and value.strip().endswith("%"):
        match = _SHARE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{shown(value)} is no percentage; write it such as 15%")
        value = Decimal(match.group(1)) / 100
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError("it must be from 0% to 100%, such as 15%")
    return number


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        value = {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


def _day_times(value: Any) -> Any:
    """Parse a range of times such as `08:00-20:00` into minutes after midnight."""
    such_as = "write it such as 08:00-20:00"
    if isinstance(value, tuple):
        return value
    if not isinstance(value, str):
        raise ValueError(such_as)
    match = _DAY_TIMES.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{shown(value)} is no time of day; {such_as}")
    numbers = [int(number) for number in match.groups()]
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if max(numbers[1], numbers[3]) > 59 or max(start, end) > 24 * 60:
        raise ValueError(f"{shown(value)} is no time of day; {such_as}")
    if start >= end:
        raise ValueError(f"the first time must be earlier on the same day than the second; {such_as}")
    return start, end


def _weekdays(value: Any) -> Any:
    """Parse weekdays such as `mon-fri` or `mon,wed,sat-sun`. Monday is 0."""
    if isinstance(value, frozenset):
        return value
    if not isinstance(value, str):
        raise ValueError("write days such as mon-fri or mon,wed,sat-sun")
    days: set[int] = set()
    for part in value.lower().split(","):
        ends = [name.strip() for name in part.split("-")]
        if len(ends) > 2 or not set(ends) <= set(_DAYS):
            raise ValueError(f"{shown(value)} are no days; write them such as mon-fri or mon,wed,sat-sun")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        # A range of days can go past the end of the week, such as `sat-mon`.
        days |= {(first + n) % 7 for n in range((last - first) % 7 + 1)}
    return frozenset(days)


def _week_time(value: Any) -> Any:
    """Parse a time of the week such as `mon 09:00`: the weekday (Monday is 0) and minutes after midnight."""
    if isinstance(value, tuple):
        return value
    match = _WEEK_TIME.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or match[1] not in _DAYS or int(match[2]) > 23 or int(match[3]) > 59:
        raise ValueError("write a day and a time, such as mon 09:00")
    return _DAYS.index(match[1]), int(match[2]) * 60 + int(match[3])


def _zone(value: Any) -> Any:
    """Check that a time zone exists, and return its name."""
    if not isinstance(value, str):
        raise ValueError("write a time zone such as Europe/Berlin")
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name is a folder's, or too long
        raise ValueError(f"{shown(value)} is no time zone; write it such as Europe/Berlin") from error
    return value


def _label(value: Any) -> Any:
    """Return a short text on one line. A number in the policy file is accepted too, and becomes a text."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or value != one_line(value, 80):
        raise ValueError("write a short text on one line, at most 80 characters")
    return value


def _gpu_name(value: Any) -> Any:
    """Check that a value can name a GPU. A number such as 4090 is converted to text."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _GPU_NAME.fullmatch(value) or not is_name(value):
        raise ValueError("write a GPU as people type it in a request, such as H200")
    return value


def _project_name(value: str) -> str:
    if value == UNASSIGNED:
        raise ValueError(f"{UNASSIGNED} is what belongs to no project; choose another name")
    return value


# --- webhooks

_LONGEST_URL = 500
_URL = re.compile(r"https://[!-~]+")
_NO_HOST = re.compile(r"%|\](?!:|$)")
"""Matches an encoded character, the zone of an IPv6 address, or text between such an address and the port."""


def _webhook_url(value: Any) -> Any:
    """Check the URL of a webhook. The messages don't repeat it, because its path can contain a secret."""
    if not isinstance(value, str) or len(value) > _LONGEST_URL or not _URL.fullmatch(value):
        raise ValueError("write an https URL, such as https://hooks.example.com/gpubot")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("write an https URL with a valid host and port") from error
    if not host or port == 0 or "\\" in value or _NO_HOST.search(parts.netloc):
        raise ValueError("write an https URL with a valid host and port")
    if "@" in parts.netloc:
        raise ValueError("the URL must not contain a user or a password")
    if "#" in value:
        raise ValueError("the URL must not contain a #")
    address = literal_address(host)
    if address is None and not _HOST_NAME.fullmatch(host):
        raise ValueError("write an https URL with a valid host and port")
    if address is not None and not may_be_reached(address, private=True):
        raise ValueError(f"events are never sent to {address}")
    return value


_HOST_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?\.?")
"""The name of a host in lower case. The last part begins with a letter.

If it began with a digit, the system's resolver could take a name such as `127.1` for an address.
"""


def literal_address(host: str) -> IpAddress | None:
    """Return the IP address that a URL's host is. None if the host is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def shown(value: str) -> str:
    """Return a value as text for an error message."""
    return repr(one_line(value, 40))


Span = Annotated[timedelta, BeforeValidator(_span)]
Dollars = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, le=1_000_000, decimal_places=6)]
"""An amount in USD, in whole micro-dollars. The upper limit keeps sums within the range of a database integer."""
BudgetDollars = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, le=1_000_000_000, decimal_places=6)]
"""Like Dollars, but with a higher limit, for the monthly budget of a whole team."""
Share = Annotated[Decimal, BeforeValidator(_share)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Flag = Annotated[bool, BeforeValidator(_flag)]
DayTimes = Annotated[tuple[int, int], BeforeValidator(_day_times)]
"""The start and end of a part of each day, in minutes after midnight. The end can be 24:00."""
Weekdays = Annotated[frozenset[int], BeforeValidator(_weekdays)]
"""Days of the week. Monday is 0."""
USER_ID, GROUP_ID, CHANNEL_ID = r"^[UW][A-Z0-9]+$", r"^S[A-Z0-9]+$", r"^[CG][A-Z0-9]+$"
UserId = Annotated[str, Field(pattern=USER_ID)]
GroupId = Annotated[str, Field(pattern=GROUP_ID)]
ChannelId = Annotated[str, Field(pattern=CHANNEL_ID)]
USER_OR_GROUP_ID = r"^[UWS][A-Z0-9]+$"
UserOrGroupId = Annotated[str, Field(pattern=USER_OR_GROUP_ID)]
APP_ID = r"^A[A-Z0-9]+$"
AppId = Annotated[str, Field(pattern=APP_ID)]
PROJECT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,29}$"
GpuName = Annotated[str, BeforeValidator(_gpu_name)]
"""A GPU family or model, as people type it. It might be unknown to the market (`spending.unknown_models`)."""
ProjectName = Annotated[str, Field(pattern=PROJECT_NAME), AfterValidator(_project_name)]
Label = Annotated[str, BeforeValidator(_label)]
Zone = Annotated[str, BeforeValidator(_zone)]
WebhookUrl = Annotated[str, BeforeValidator(_webhook_url)]
"""The URL of a receiver of webhooks. Its path can contain a secret."""
WeekTime = Annotated[tuple[int, int], BeforeValidator(_week_time)]
"""A time of the week: the day (Monday is 0), and the minutes after midnight."""
