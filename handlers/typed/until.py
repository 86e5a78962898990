"""Parses the times at which a lease starts or ends, as people type them in their time zone.

For example `until 18:00`, `until fri 18:00` or `at 9 tomorrow`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from bot.policy.team.hours import known_zone

_SPELLINGS = (
    "mon monday, tue tues tuesday, wed wednesday, thu thur thurs thursday, fri friday, sat saturday, sun sunday"
)
_WEEKDAYS = {word: number for number, words in enumerate(_SPELLINGS.split(", ")) for word in words.split()}
"""The number of each weekday, by its spellings. Monday is 0, as in `date.weekday`."""
_NEAR_DAYS = ("today", "tomorrow")
_TOMORROW = ("tomorrow", "tmrw", "tmr", "tmw", "tomorow", "tommorow", "tommorrow")
_MONTH_NAMES = (
    "january jan, february feb, march mar, april apr, may, june jun, july jul, august aug, september sept sep, "
    "october oct, november nov, december dec"
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES.split(", "), 1) for name in names.split()}
_MONTH = rf"(?:{'|'.join(_MONTHS)})"
_DAY_OF_MONTH = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = rf"(?:{_DAY_OF_MONTH} (?:of )?{_MONTH}|{_MONTH} {_DAY_OF_MONTH})"
DAY = (
    rf"(?:today|{'|'.join(_TOMORROW)}|{'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))}"
    rf"|20\d\d-\d\d-\d\d|{_DATE})(?![\w-])"
)
_ZONES = {
    **dict.fromkeys(("utc", "gmt"), "UTC"), "bst": "Europe/London", "jst": "Asia/Tokyo",
    **dict.fromkeys(("cet", "cest", "mez", "mesz"), "Europe/Berlin"),
    **dict.fromkeys(("est", "edt"), "America/New_York"), **dict.fromkeys(("cst", "cdt"), "America/Chicago"),
    **dict.fromkeys(("pst", "pdt"), "America/Los_Angeles"),
}  # fmt: skip
"""The time zones that people name after a time, as in `18:00 CET`.

A name always means the local time of the zone. So in summer, `CET` and `CEST` mean the same.
"""
_ZONE = rf"(?: ?(?:{'|'.join(_ZONES)}))?"
_TIME = rf"(?:\d{{1,2}}(?::\d\d|h\d\d)?(?: ?(?:am|pm|uhr|h))?|noon|midnight){_ZONE}(?![\w.:-])"
UNTIL = re.compile(
    r"(?:until|till|til)(?![\w.:-])"
    rf"(?: (?:at )?(?P<end>{DAY}(?: (?:at )?{_TIME})?|{_TIME}(?: (?:on )?{DAY})?))?",
    re.ASCII,
)
"""A regular expression for `until` and the time after it, in lower case with single spaces.

`parse_end` parses the time, which is in the group named `end`. The group is None if no time follows.
"""
CLEAR_TIME = r"(?:\d{1,2}(?::\d\d(?: ?(?:am|pm|uhr))?| ?(?:am|pm|uhr))|noon|midnight)" rf"{_ZONE}(?![\w.:-])"
"""A pattern for texts that can only be times.

A text that matches _TIME may also be a number of hours, GPUs or dollars.
"""
UP_TO = re.compile(
    r"(?:up to|at most|max|maximum) (?:until )?"
    rf"(?P<end>{DAY}(?: (?:at )?{_TIME})?|{CLEAR_TIME}(?: (?:on )?{DAY})?)",
    re.ASCII,
)
"""A pattern for the latest time at which a flexible lease can end: `up to 10:00`.

`parse_later_end` parses the time, which is in the group named `end`.
"""
START = re.compile(
    rf"(?:at|@) ?(?P<start>{DAY}(?: (?:at )?{_TIME})?|{_TIME} (?:on )?{DAY}|{CLEAR_TIME}(?: tonight)?)"
    rf"|(?:on )?(?P<day_first>{DAY} at {_TIME})",
    re.ASCII,
)
"""A pattern for the time at which a lease starts: `at 9:00`, `at 9 tomorrow`, `tomorrow at 9am`.

`parse_start` parses the time, which is in one of the two groups. A time after `at` needs a colon, am, pm or a day.
Without these, the number may be a price, as in `at 2.50`.
"""
_FIND_DAY = re.compile(rf"(?<!\S){DAY}", re.ASCII)
_FIND_ZONE = re.compile(rf" ?({'|'.join(_ZONES)})\b", re.ASCII)
_CLOCK = re.compile(r"(?P<hour>\d{1,2})(?:[:h](?P<minute>\d\d))?(?: ?(?P<unit>am|pm|uhr|h))?", re.ASCII)
LOOSE_END = re.compile(rf"tmr|tmw|tomorow|tomm|\dh|\d h|{_MONTH}|{'|'.join(_ZONES)}")
"""A pattern for informal spellings in a start or end time. In a request with such a spelling, `now` is ignored."""
TIME_WORDS = frozenset(
    {*_NEAR_DAYS, *_TOMORROW, *_WEEKDAYS, *_ZONES, *_MONTHS, "tonight", "overnight", "morning", "afternoon"}
    | {"evening", "night", "weekend", "week", "month", "months", "year", "years", "later", "soon"}
) - {"may"}
"""Words about time. If the parser can't interpret such a word, it must not suggest leaving the word out.

Without the word, the machine would start or end at a different time than the person meant.
"""
_DAY_LENGTH = timedelta(days=1)
Read = TypeVar("Read")


class End(NamedTuple):
    """The result of parsing an end time."""

    at: datetime
    """The end time in UTC."""
    rolled: bool
    """True if the end time is tomorrow because no day was typed and the time has already passed today."""


class UnclearEnd(Exception):
    """A time that was typed can't be read, or has passed.

    `words` explains the problem. `ends` contains times that the person can type instead.
    """

    def __init__(self, words: str, *ends: str) -> None:
        super().__init__(words)
        self.words = words
        self.ends = ends

    def said(self, before: str = "") -> str:
        """Return the explanation of the problem, followed by times that the person can type instead.

        `before` is a text to write before each time, such as `until `.
        """
        return f"{self.words} Try: {', or '.join(before + end for end in self.ends)}" if self.ends else self.words


def parse_end(text: str, now: datetime, zone: str) -> End:
    """Parse the text that follows `until`, such as `fri 18:00`. The result is always later than `now`.

    `zone` is the person's IANA time zone. If the text names no day, or only a weekday, the next such time is
    returned.

    When clocks go forward, some times are skipped. Such a time is moved by the length of the gap: 02:30 means
    03:30. When clocks go back, some times occur twice. Such a time means its first occurrence, or the second
    occurrence if the first has passed.

    Raises UnclearEnd if the time is missing, impossible, ambiguous or in the past.
    """
    if (elsewhere := _FIND_ZONE.search(text)) is not None:
        return _read_elsewhere(parse_end, text, elsewhere, now)
    if not text:
        raise UnclearEnd("Until when?", example_end(now, zone))
    day, clock = _day_and_clock(text)
    example = example_end(now, zone)
    if not clock:
        raise _without_time(day, example if day == "today" else f"{day} 18:00")
    since_midnight = _since_midnight(clock, day, example)
    local = known_zone(zone)
    today = now.astimezone(local).date()
    for n, possible in enumerate(_days(day, today, example)):
        at = _next(possible, since_midnight, now, local)
        if at is not None:
            return End(at, rolled=day is None and n > 0)
    raise UnclearEnd(f'"{text}" has passed.', f"tomorrow {clock}")


def parse_start(text: str, now: datetime, zone: str) -> datetime:
    """Parse a start time such as `9:00` or `tomorrow 9am`. The result is in UTC and always later than `now`.

    Days and times have the same meaning as in `parse_end`, with one exception. A number without am or pm is an
    hour on the 24-hour clock: `9 tomorrow` means 9:00.

    Raises UnclearEnd for the same reasons as `parse_end`, and also if clocks change at that time. Something that
    costs money must not begin an hour earlier or later than the person meant.
    """
    if (elsewhere := _FIND_ZONE.search(text)) is not None:
        return _read_elsewhere(parse_start, text, elsewhere, now)
    day, clock = _day_and_clock(text.removesuffix(" tonight"))
    if not clock:
        raise _without_time(day, "18:00" if day == "today" else f"{day} 9:00")
    clock = f"{clock}:00" if clock.isdecimal() else clock
    at = parse_end(f"{day or ''} {clock}".strip(), now, zone).at
    local = at.astimezone(known_zone(zone))
    since_midnight = _since_midnight(clock, day, "") % _DAY_LENGTH
    if timedelta(hours=local.hour, minutes=local.minute) != since_midnight:
        other = f"{local.hour}:{local:%M}"
        raise UnclearEnd(
            f"Clocks go forward on {local:%Y-%m-%d}, past {clock}. Name another time, such as {other}."
        )
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        other = f"{local.hour + 1}:00"
        raise UnclearEnd(
            f"Clocks go back on {local:%Y-%m-%d}, and {clock} comes twice. Name another time, such as {other}."
        )
    return at


def _read_elsewhere(
    parse: Callable[[str, datetime, str], Read], text: str, named: re.Match[str], now: datetime
) -> Read:
    """Parse a text that names a time zone, such as `18:00 CET`, as if the person were in that zone.

    `named` is the match of the zone's name, which is removed from the text before `parse` is called.
    """
    try:
        return parse(text[: named.start()] + text[named.end() :], now, _ZONES[named[1]])
    except UnclearEnd as unclear:
        raise UnclearEnd(unclear.words, *(f"{end} {named[1]}" for end in unclear.ends)) from None


def _day_and_clock(text: str) -> tuple[str | None, str]:
    """Return the day and the time in a text, as they were typed.

    A missing day is None, and a missing time is an empty text.
    """
    found = _FIND_DAY.search(text)
    day = found.group() if found else None
    clock = _FIND_DAY.sub(" ", text).strip().removeprefix("at ").removesuffix(" on")
    return "tomorrow" if day in _TOMORROW else day, clock


def _without_time(day: str | None, example: str) -> UnclearEnd:
    return UnclearEnd(f"At what time {'' if day in _NEAR_DAYS else 'on '}{day}?", example)


def parse_day(text: str, now: datetime, zone: str, minutes: int) -> datetime:
    """Parse a day or a time in the same way as `parse_end`, and return it in UTC.

    If the text names only a day, the result is `minutes` after midnight on that day.
    """
    if _FIND_DAY.fullmatch(text):
        hour, minute = divmod(minutes, 60)
        text = f"{text} {hour}:{minute:02}"
    return parse_end(text, now, zone).at


def parse_later_end(text: str, first: datetime, now: datetime, zone: str) -> End:
    """Parse the latest time at which a flexible lease can end, in the same way as `parse_end`.

    `first` is the earliest time at which the lease ends. A time without a day means the next such time after
    `first`.
    """
    return parse_end(text, now if _FIND_DAY.search(text) else first, zone)


def example_end(now: datetime, zone: str) -> str:
    """Return an end time that a person could type now: this evening, or tomorrow evening if it is late."""
    return "18:00" if now.astimezone(known_zone(zone)).hour < 16 else "tomorrow 18:00"


def _since_midnight(clock: str, day: str | None, example: str) -> timedelta:
    """Convert a time of day to the time since midnight. `midnight` and 24:00 mean the end of the day."""
    named = {"noon": timedelta(hours=12), "midnight": _DAY_LENGTH}.get(clock)
    if named is not None:
        return named
    read = _CLOCK.fullmatch(clock)
    if read is None:
        raise UnclearEnd(f'I can\'t read the time "{clock}".', example)
    hour, minute, unit = int(read["hour"]), int(read["minute"] or 0), read["unit"]
    before = f"{day} " if day else ""
    if unit in {"am", "pm"}:
        possible = 1 <= hour <= 12
        hour = hour % 12 + (12 if unit == "pm" else 0)
    else:
        possible = hour < 24 or (hour == 24 and minute == 0)
    if not possible or minute > 59:
        raise UnclearEnd(f'"{clock}" isn\'t a time.', example)
    if unit == "h" and read["minute"] is None and 1 <= hour <= 12:
        message = f'Is "{clock}" a time of day? For a length, write: for {hour}h.'
        raise UnclearEnd(message, f"{before}{hour}am", f"{before}{hour}pm")
    if unit is None and read["minute"] is None:
        if 1 <= hour <= 12:
            raise UnclearEnd(
                f'Is "{clock}" in the morning or in the afternoon?', f"{before}{hour}am", f"{before}{hour}pm"
            )
        raise UnclearEnd(f'Is "{clock}" a time? Type it with minutes.', f"{before}{hour}:00")
    return timedelta(hours=hour, minutes=minute)


def _days(day: str | None, today: date, example: str) -> list[date]:
    """Return the dates that `day` can mean, earliest first.

    `day` is None if no day was typed.
    """
    if day is None:
        return [today, today + _DAY_LENGTH]
    if day in _WEEKDAYS:
        next_one = today + _DAY_LENGTH * ((_WEEKDAYS[day] - today.weekday()) % 7)
        return [next_one, next_one + 7 * _DAY_LENGTH]
    if day in _NEAR_DAYS:
        return [today if day == "today" else today + _DAY_LENGTH]
    try:
        if "-" in day:
            return [date.fromisoformat(day)]
        month = next(_MONTHS[word] for word in day.split() if word in _MONTHS)
        this_year = date(today.year, month, int(re.sub(r"\D", "", day)))
        return [this_year, this_year.replace(year=today.year + 1)]
    except ValueError:
        raise UnclearEnd(f'"{day}" isn\'t a date.', example) from None


def _next(day: date, since_midnight: timedelta, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Convert a local time on a day to UTC. Returns None if the time has passed."""
    whole_days, rest = divmod(since_midnight, _DAY_LENGTH)
    naive = datetime.combine(day + whole_days * _DAY_LENGTH, datetime.min.time()) + rest
    # When clocks are set forward or back, `fold` (PEP 495) selects one of two times. If the clocks are set back, a
    # time of day occurs twice, and fold 0 means the first occurrence. If the clocks are set forward, a time of day
    # is skipped. Fold 0 then gives a time after the gap, as if the clocks hadn't changed, and fold 1 gives a time
    # before the gap.
    for fold in (0, 1):
        at = naive.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if at > now:
            return at
    return None
