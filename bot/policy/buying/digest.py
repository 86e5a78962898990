"""When the home channel gets the week's spend, and of which days."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.policy.team.hours import at_time
from bot.policy.team.rules import Rules

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


class Week(NamedTuple):
    """Seven days of the policy's `timezone`, from midnight to midnight."""

    first: date
    last: date
    start: datetime
    """The first moment, in UTC."""
    end: datetime
    """The first moment after it, in UTC."""


def newest_digest(now: datetime, rules: Rules) -> datetime | None:
    """Return the last moment up to now at which a digest was due, in UTC. Return None if the policy has none."""
    if rules.digest is None:
        return None
    weekday, minutes = rules.digest
    zone = ZoneInfo(rules.timezone)
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - weekday) % 7)
    due = at_time(day, minutes, zone)
    return due if due <= now else at_time(day - _WEEK, minutes, zone)


def week_of(digest: datetime, rules: Rules) -> Week:
    """Return the week that a digest is about: the seven days before its own day."""
    zone = ZoneInfo(rules.timezone)
    day = digest.astimezone(zone).date()
    return Week(day - _WEEK, day - _DAY, at_time(day - _WEEK, 0, zone), at_time(day, 0, zone))
