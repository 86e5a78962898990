"""When people may be asked: the `hours` of the rules, in each person's own time zone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.policy.rules import Hours, Rules

DAYS_AHEAD = 15
"""A week has a day of `hours`. A change of the clocks can leave out one day's hours, not those a week later."""


def zone_of(name: str | None, rules: Rules) -> ZoneInfo:
    """Return a person's time zone. Return the team's if theirs is unknown, or if this machine doesn't know it."""
    try:
        return ZoneInfo(name or rules.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(rules.timezone)


def is_within(moment: datetime, zone: ZoneInfo, hours: Hours) -> bool:
    """Return whether a moment is within the hours in this zone."""
    local = moment.astimezone(zone)
    start, end = hours.time
    return local.weekday() in hours.days and start <= local.hour * 60 + local.minute < end


def next_within(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return the first moment from `moment` on that is within the hours in this zone, in UTC."""
    if is_within(moment, zone, hours):
        return moment
    today = moment.astimezone(zone).date()
    starts = (_start(today + timedelta(days=n), zone, hours) for n in range(DAYS_AHEAD))
    return next((start for start in starts if start >= moment and is_within(start, zone, hours)), moment)


def next_within_any(moment: datetime, zones: Collection[ZoneInfo], hours: Hours) -> datetime:
    """Return the first moment from `moment` on that is within the hours in at least one of these zones, of which
    there is at least one."""
    return min(next_within(moment, zone, hours) for zone in zones)


def next_morning(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return when the hours begin next after `moment`, on any day of the week, in UTC."""
    today = moment.astimezone(zone).date()
    starts = (_start(today + timedelta(days=n), zone, hours) for n in range(3))
    return next(start for start in starts if start > moment)


def _start(day: date, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return when the hours of a day begin. If the clocks skip that time, it is as much later as they skip."""
    hour, minute = divmod(hours.time[0], 60)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
