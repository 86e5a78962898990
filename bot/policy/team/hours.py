"""When people may be asked: the `hours` of the rules, in each person's own time zone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.model.person import Absence
from bot.policy.team.rules import Hours, Rules

NIGHT_BEGINS = 22 * 60
"""In minutes after midnight."""
MORNING = 8 * 60
"""The same: when a night ends if the hours begin at midnight."""
DAYS_AHEAD = 15
"""How many days are searched for `hours`. Each week has a day with hours. A change of the clocks can skip the
hours of one day, but not those a week later."""
LONGEST_WAIT = timedelta(days=366)
"""The longest time from now to the end of a time within hours."""


def zone_of(name: str | None, rules: Rules) -> ZoneInfo:
    """Return a person's time zone. Return the team's if theirs is unknown, or if this machine doesn't know it."""
    return known_zone(name or rules.timezone, rules.timezone)


def known_zone(name: str, otherwise: str = "UTC") -> ZoneInfo:
    """Return the time zone with an IANA name, or the zone `otherwise` if this machine doesn't know the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(otherwise)


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


class Availability(NamedTuple):
    """When a person can be asked: in the hours of their zone, unless they are away."""

    zone: ZoneInfo
    absences: tuple[Absence, ...] = ()

    def is_away(self, moment: datetime) -> bool:
        return self.back_at(moment) is not None

    def back_at(self, moment: datetime) -> datetime | None:
        """Return when a person is back who is away at this moment. Return None if they are not away."""
        return max((one.until for one in self.absences if one.since <= moment < one.until), default=None)


def next_available(moment: datetime, person: Availability, hours: Hours) -> datetime:
    """Return the first moment from `moment` on at which a person can be asked, in UTC."""
    moment = next_within(moment, person.zone, hours)
    while (back_at := person.back_at(moment)) is not None:
        moment = next_within(back_at, person.zone, hours)
    return moment


def last_available(moment: datetime, people: Collection[Availability], hours: Hours) -> datetime | None:
    """Return until when at least one of these people can be asked for the last time before `moment`, or `moment`
    itself if one still can. Return None if nobody can in the two weeks before.
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
    """Return the first moment from `moment` on at which one of these people can be asked.

    There must be at least one.
    """
    return min(next_available(moment, person, hours) for person in people)


def next_morning(moment: datetime, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return when the hours begin next after `moment`, on any day of the week, in UTC.

    Hours that begin at midnight don't say when people get up: then it is the next MORNING.
    """
    today = moment.astimezone(zone).date()
    starts = (at_time(today + timedelta(days=n), hours.time[0] or MORNING, zone) for n in range(3))
    return next(start for start in starts if start > moment)


def after_hours(moment: datetime, span: timedelta, people: Collection[Availability], hours: Hours) -> datetime:
    """Return when `span` has passed since `moment`, if only time counts in which at least one of these people can
    be asked. There must be one at least. The result is at most LONGEST_WAIT later, or `span` if that is longer.
    """
    latest = moment + max(span, LONGEST_WAIT)
    while moment < latest:
        moment = next_within_any(moment, people, hours)
        ends = [
            _available_until(moment, person, hours)
            for person in people
            if is_within(moment, person.zone, hours) and not person.is_away(moment)
        ]
        # The clocks may be set back within the hours: the end of that day then seems to be over.
        end = max([*ends, moment + timedelta(minutes=1)])
        if moment + span <= end:
            return min(moment + span, latest)
        moment, span = end, span - (end - moment)
    return latest


def morning_after(start: datetime, end: datetime, zone: ZoneInfo, hours: Hours) -> datetime | None:
    """Return the end of the first night that overlaps the time from `start` to `end`. Return None if no night
    does. A night begins at NIGHT_BEGINS and ends when the hours begin, on any day of the week.
    """
    morning = next_morning(start, zone, hours)
    day = morning.astimezone(zone).date()
    evenings = (at_time(day - timedelta(days=n), NIGHT_BEGINS, zone) for n in range(2))
    return morning if next(evening for evening in evenings if evening < morning) <= end else None


def _start(day: date, zone: ZoneInfo, hours: Hours) -> datetime:
    return at_time(day, hours.time[0], zone)


def at_time(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Return a time of a day, in minutes after midnight, in UTC. A time that the clocks skip is later by the time
    that they skip.
    """
    hour, minute = divmod(minutes, 60)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def _available_until(moment: datetime, person: Availability, hours: Hours) -> datetime:
    """Return until when a person can be asked who can be asked at this moment."""
    away = (one.since for one in person.absences if one.since > moment)
    return min([_end_of(moment.astimezone(person.zone).date(), person.zone, hours), *away])


def _end_of(day: date, zone: ZoneInfo, hours: Hours) -> datetime:
    """Return when the hours of a day end."""
    midnight = datetime.combine(day, time(), tzinfo=zone)
    return (midnight + timedelta(minutes=hours.time[1])).astimezone(UTC)
