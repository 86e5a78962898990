"""Calendar months in the time zone of the invoice."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.model.budget import Month


def month_of(at: datetime, zone: ZoneInfo) -> Month:
    """Return the month in which a moment falls in `zone`, such as `2026-11`."""
    return at.astimezone(zone).strftime("%Y-%m")


def month_start(month: Month, zone: ZoneInfo) -> datetime:
    """Return the first moment of a month in `zone`, as UTC."""
    year, number = map(int, month.split("-"))
    return datetime(year, number, 1, tzinfo=zone).astimezone(UTC)


def month_end(month: Month, zone: ZoneInfo) -> datetime:
    """Return the first moment after a month in `zone`, as UTC."""
    return month_start(next_month(month), zone)


def next_month(month: Month) -> Month:
    year, number = map(int, month.split("-"))
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def months_between(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[Month, ...]:
    """Return the months in `zone` that overlap the time from `start` to `end`, in order.

    `end` itself is excluded. If the time has no length, or ends before it starts, return only the month of
    `start`.
    """
    months = [month_of(start, zone)]
    while month_end(months[-1], zone) < end:
        months.append(next_month(months[-1]))
    return tuple(months)
