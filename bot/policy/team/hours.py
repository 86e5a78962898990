"""When people may be asked: the `hours` of the rules, in each person's own time zone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.policy.team.rules import Hours, Rules

NIGHT_BEGINS = 22 * 60
"""In minutes after midnight."""
DAYS_AHEAD = 15
"""How many days are searched for `hours`. Each week has a day with hours. A change of the clocks can skip the
hours of one day, but not those a week later."""
LONGEST_WAIT = timedelta(days=366)
"""The longest time from now to the end of a time within hours."""


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
    """Return the first moment from `moment` on that is within the hours in at least one of these zones. There must
    be one zone at least."""
    return min(next_within(moment, zone, hours) for zone in zones)


def next_morning(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return when the hours begin next after `moment`, on any day of the week, in UTC."""
    today = moment.astimezone(zone).date()
    starts = (_start(today + timedelta(days=n), zone, hours) for n in range(3))
    return next(start for start in starts if start > moment)


def after_hours(moment: datetime, span: timedelta, zones: Collection[ZoneInfo], hours: Hours) -> datetime:
    """Return when `span` has passed since `moment`, if only time within the hours in at least one of these zones
    counts. There must be one zone at least. The result is at most LONGEST_WAIT later, or `span` if that is
    longer."""
    latest = moment + max(span, LONGEST_WAIT)
    while moment < latest:
        moment = next_within_any(moment, zones, hours)
        ends = [_end(moment, zone, hours) for zone in zones if is_within(moment, zone, hours)]
        # The clocks may be set back within the hours: the end of that day then seems to be over.
        end = max([*ends, moment + timedelta(minutes=1)])
        if moment + span <= end:
            return min(moment + span, latest)
        moment, span = end, span - (end - moment)
    return latest


def morning_after(start: datetime, end: datetime, zone: ZoneInfo, hours: Hours) -> datetime | None:
    """Return the end of the first night that overlaps the time from `start` to `end`. Return None if no night
    does. A night begins at NIGHT_BEGINS and ends when the hours begin, on any day of the week."""
    morning = next_morning(start, zone, hours)
    day = morning.astimezone(zone).date()
    evenings = (at_time(day - timedelta(days=n), NIGHT_BEGINS, zone) for n in range(2))
    return morning if next(evening for evening in evenings if evening < morning) <= end else None


def _start(day: date, zone: ZoneInfo, hours: Hours) -> datetime:
    return at_time(day, hours.time[0], zone)


def at_time(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return a time of a day, in minutes after midnight, in UTC. A time that the clocks skip is later by the time
    that they skip."""
    hour, minute = divmod(minutes, 60)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def _end(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return when the hours of the day that `moment` is in end."""
    midnight = datetime.combine(moment.astimezone(zone).date(), time(), tzinfo=zone)
    return (midnight + timedelta(minutes=hours.time[1])).astimezone(UTC)
