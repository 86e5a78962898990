"""The working hours in which the bot asks people questions.

The policy key `hours` sets the working hours. They apply in each person's own time zone.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.model.person import Absence
from bot.policy.team.rules import Hours, Rules

NIGHT_BEGINS = 22 * 60
"""The time at which a night begins, in minutes after midnight."""
MORNING = 8 * 60
"""The time at which a night ends if the policy's working hours begin at midnight, in minutes after midnight."""
DAYS_AHEAD = 15
"""The number of days in which the code searches for the next working hours.

Every week has at least one day with working hours. A change to daylight saving time can skip the working hours of
one day, but not those of the same day a week later.
"""
LONGEST_WAIT = timedelta(days=366)
"""The longest time that `after_hours` looks ahead."""


def zone_of(name: str | None, rules: Rules) -> ZoneInfo:
    """Return a person's time zone.

    If the time zone is missing or unknown to the bot, return the team's time zone.
    """
    return known_zone(name or rules.timezone, rules.timezone)


def known_zone(name: str, otherwise: str = "UTC") -> ZoneInfo:
    """Return the time zone with this IANA name, or `otherwise` if the bot doesn't know the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(otherwise)


def is_within(moment: datetime, zone: ZoneInfo, hours: Hours) -> bool:
    """Return whether a moment is within the policy's working hours in the time zone `zone`."""
    local = moment.astimezone(zone)
    start, end = hours.time
    return local.weekday() in hours.days and start <= local.hour * 60 + local.minute < end


def next_within(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return the first moment within the policy's working hours, at or after `moment`, in UTC.

    The working hours are counted in the given time zone.
    """
    if is_within(moment, zone, hours):
        return moment
    today = moment.astimezone(zone).date()
    starts = (_start(today + timedelta(days=n), zone, hours) for n in range(DAYS_AHEAD))
    return next((start for start in starts if start >= moment and is_within(start, zone, hours)), moment)


class Availability(NamedTuple):
    """The times at which a person is available: in their working hours, unless they are away."""

    zone: ZoneInfo
    absences: tuple[Absence, ...] = ()

    def is_away(self, moment: datetime) -> bool:
        return self.back_at(moment) is not None

    def back_at(self, moment: datetime) -> datetime | None:
        """Return the time at which a person's absence ends. None if they aren't away at `moment`."""
        return max((one.until for one in self.absences if one.since <= moment < one.until), default=None)


def next_available(moment: datetime, person: Availability, hours: Hours) -> datetime:
    """Return the first moment at or after `moment` at which a person is available, in UTC.

    A person is available in their working hours, unless they are away.
    """
    moment = next_within(moment, person.zone, hours)
    while (back_at := person.back_at(moment)) is not None:
        moment = next_within(back_at, person.zone, hours)
    return moment


def last_available(moment: datetime, people: Collection[Availability], hours: Hours) -> datetime | None:
    """Return the last time before `moment` at which at least one of `people` is available.

    The result is `moment` itself if somebody is available right up to `moment`. None if nobody is available in the
    two weeks before `moment`. A person is available in their working hours, unless they are away.
    """
    return max(filter(None, (_last_available(moment, person, hours) for person in people)), default=None)


def _last_available(moment: datetime, person: Availability, hours: Hours) -> datetime | None:
    today = moment.astimezone(person.zone).date()
    for day in (today - timedelta(days=n) for n in range(DAYS_AHEAD)):
        start, end = _start(day, person.zone, hours), min(_end_of(day, person.zone, hours), moment)
        while (away := next((one for one in person.absences if one.since < end <= one.until), None)) is not None:
            end = away.since
        if day.weekday() in hours.days and start < end:
            return end
    return None


def next_within_any(moment: datetime, people: Collection[Availability], hours: Hours) -> datetime:
    """Return the first time at or after `moment` at which at least one of `people` is available.

    A person is available in their working hours, unless they are away. `people` must not be empty.
    """
    return min(next_available(moment, person, hours) for person in people)


def next_start(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return the first time at or after `moment` at which the working hours of the policy begin, in UTC.

    If `moment` is within the working hours, the result isn't `moment`, unlike with `next_within`. If the working
    hours begin at midnight, MORNING is used instead, because people don't get up at midnight.
    """
    today = moment.astimezone(zone).date()
    days = (today + timedelta(days=n) for n in range(DAYS_AHEAD))
    starts = (at_time(day, hours.time[0] or MORNING, zone) for day in days if day.weekday() in hours.days)
    return next(start for start in starts if start >= moment)


def next_morning(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return the next time after `moment` at which the working hours begin, on any day of the week, in UTC.

    If the working hours begin at midnight, MORNING is used instead, because people don't get up at midnight.
    """
    today = moment.astimezone(zone).date()
    starts = (at_time(today + timedelta(days=n), hours.time[0] or MORNING, zone) for n in range(3))
    return next(start for start in starts if start > moment)


def after_hours(moment: datetime, span: timedelta, people: Collection[Availability], hours: Hours) -> datetime:
    """Return the time at which `span` has passed, counting only time in which one of `people` is available.

    A person is available in their working hours, unless they are away. `people` must not be empty.

    The result is at most LONGEST_WAIT after `moment`. There is one exception: if `span` itself is longer than
    LONGEST_WAIT, the result is `span` after `moment`.
    """
    latest = moment + max(span, LONGEST_WAIT)
    while moment < latest:
        moment = next_within_any(moment, people, hours)
        ends = [
            _available_until(moment, person, hours)
            for person in people
            if is_within(moment, person.zone, hours) and not person.is_away(moment)
        ]
        # When daylight saving time ends during somebody's working hours, the clocks are set back, and the computed
        # end of the working hours can be before `moment`. Always move forward by at least a minute, so that this
        # loop ends.
        end = max([*ends, moment + timedelta(minutes=1)])
        if moment + span <= end:
            return min(moment + span, latest)
        moment, span = end, span - (end - moment)
    return latest


def morning_after(start: datetime, end: datetime, zone: ZoneInfo, hours: Hours) -> datetime | None:
    """Return the end of the first night that overlaps the time from `start` to `end`.

    A night begins at NIGHT_BEGINS and ends when the working hours begin, on any day of the week. None if there is
    no night in the given time.
    """
    morning = next_morning(start, zone, hours)
    day = morning.astimezone(zone).date()
    evenings = (at_time(day - timedelta(days=n), NIGHT_BEGINS, zone) for n in range(2))
    return morning if next(evening for evening in evenings if evening < morning) <= end else None


def _start(day: date, zone: ZoneInfo, hours: Hours) -> datetime:
    return at_time(day, hours.time[0], zone)


def at_time(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return the time in UTC for a time of day in `zone`.

    If a change to daylight saving time skips this time of day, the result is later by the length of the skipped
    time.

    Args:
        minutes: The time of day in `zone`, in minutes after midnight.
    """
    hour, minute = divmod(minutes, 60)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def _available_until(moment: datetime, person: Availability, hours: Hours) -> datetime:
    """Return the time until which a person stays available. They must be available at `moment`."""
    away = (one.since for one in person.absences if one.since > moment)
    return min([_end_of(moment.astimezone(person.zone).date(), person.zone, hours), *away])


def _end_of(day: date, zone: ZoneInfo, hours: Hours) -> datetime:
    midnight = datetime.combine(day, time(), tzinfo=zone)
    return (midnight + timedelta(minutes=hours.time[1])).astimezone(UTC)
