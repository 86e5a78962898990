"""Tests of when people may be asked, in their own time zone and across clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.policy.team.hours import (
    Availability,
    after_hours,
    is_within,
    next_morning,
    next_within,
    next_within_any,
    zone_of,
)
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Hours, Rules

WORKDAYS = Hours()
UTC_ZONE = ZoneInfo("UTC")
BERLIN, TOKYO, CHICAGO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Chicago")
IN_BERLIN = Availability(BERLIN)


def utc(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        (utc(24, 12), BERLIN, utc(24, 12)),  # A Tuesday.
        (utc(24, 19), BERLIN, utc(25, 7)),  # In Berlin, it is 20:00, the end of the hours.
        (utc(24, 6, 59), BERLIN, utc(24, 7)),
        (utc(27, 20), BERLIN, utc(30, 7)),  # From Friday night to Monday.
        (utc(28, 12), BERLIN, utc(30, 7)),
        (utc(24, 12), TOKYO, utc(24, 23)),
        (utc(23, 2), CHICAGO, utc(23, 14)),  # Monday in UTC, but still Sunday in Chicago.
    ],
)
def test_people_are_asked_within_the_next_hours_of_their_own_zone(
    moment: datetime, zone: ZoneInfo, expected: datetime
) -> None:
    assert next_within(moment, zone, WORKDAYS) == expected


@pytest.mark.parametrize(
    ("moment", "zone", "morning"),
    [
        (utc(24, 19), BERLIN, utc(25, 7)),
        (utc(25, 2), BERLIN, utc(25, 7)),
        (utc(25, 7), BERLIN, utc(26, 7)),
        (utc(27, 20), BERLIN, utc(28, 7)),  # Saturday, which is no workday.
        (utc(28, 22, month=3), BERLIN, utc(29, 6, month=3)),  # Summer time begins on the 29th.
        (utc(24, 22, month=10), BERLIN, utc(25, 7, month=10)),  # Summer time ends on the 25th.
        (utc(24, 12), CHICAGO, utc(24, 14)),
    ],
)
def test_every_day_has_a_morning_even_when_the_clocks_change(
    moment: datetime, zone: ZoneInfo, morning: datetime
) -> None:
    assert next_morning(moment, zone, WORKDAYS) == morning


@pytest.mark.parametrize("moment", [utc(24, 22, 43), utc(25, 2)])
def test_the_night_ends_at_eight_if_hours_begin_at_midnight(moment: datetime) -> None:
    assert next_morning(moment, BERLIN, Hours(time=(0, 24 * 60))) == utc(25, 7)


def test_eight_o_clock_stays_eight_o_clock_when_the_clocks_change() -> None:
    every_day = Hours(days=frozenset(range(7)))
    assert next_within(utc(28, 22, month=3), BERLIN, every_day) == utc(
        29, 6, month=3
    )  # Summer time begins on the 29th.
    assert next_within(utc(24, 22, month=10), BERLIN, every_day) == utc(
        25, 7, month=10
    )  # Summer time ends on the 25th.


def test_hours_skipped_by_a_clock_change_come_a_day_or_week_later() -> None:
    skipped = Hours(time=(2 * 60, 2 * 60 + 45), days=frozenset(range(7)))
    assert next_within(utc(29, 0, 30, month=3), BERLIN, skipped) == utc(30, 0, month=3)
    only_sundays = Hours(time=skipped.time, days=frozenset({6}))
    assert next_within(utc(29, 0, 30, month=3), BERLIN, only_sundays) == utc(5, 0, month=4)


@pytest.mark.parametrize(
    ("moment", "zones", "expected"),
    [
        (utc(24, 12), {UTC_ZONE}, utc(24, 20)),
        (utc(24, 18), {UTC_ZONE}, utc(25, 14)),  # 2 h today, and 6 h tomorrow.
        (utc(27, 19), {UTC_ZONE}, utc(30, 15)),  # 1 h on Friday evening, and 7 h on Monday.
        (utc(28, 3), {BERLIN}, utc(30, 15)),  # Saturday night, so time counts from Monday 8:00 in Berlin.
        (utc(24, 18), {BERLIN, CHICAGO}, utc(25, 2)),  # In Chicago, the hours end at 2:00 UTC.
        (utc(24, 20), {BERLIN, TOKYO}, utc(25, 7)),  # In Tokyo, the hours begin at 8:00, which is 23:00 UTC.
    ],
)
def test_time_within_hours_counts_only_while_somebody_is_available(
    moment: datetime, zones: set[ZoneInfo], expected: datetime
) -> None:
    assert after_hours(moment, timedelta(hours=8), set(map(Availability, zones)), WORKDAYS) == expected


def test_time_within_hours_continues_across_a_clock_change() -> None:
    every_day = Hours(time=(0, 24 * 60), days=frozenset(range(7)))
    for month in (3, 10):
        start = utc(24, 5, month=month)
        assert after_hours(start, timedelta(days=3), {IN_BERLIN}, every_day) == start + timedelta(days=3)
    rare = Hours(time=(8 * 60, 8 * 60 + 1), days=frozenset({0}))
    assert after_hours(utc(24, 5), timedelta(days=60), {IN_BERLIN}, rare) <= utc(24, 5) + timedelta(days=366)


def test_the_person_whose_hours_come_first_counts() -> None:
    assert next_within_any(utc(24, 20), {Availability(BERLIN), Availability(TOKYO)}, WORKDAYS) == utc(24, 23)


@given(
    st.integers(0, 366 * 24 * 60),
    st.sampled_from([BERLIN, TOKYO, CHICAGO]),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda both: both[0] < both[1]),
)
def test_next_within_returns_the_earliest_moment_within_the_hours(
    minutes: int, zone: ZoneInfo, days: frozenset[int], time: tuple[int, int]
) -> None:
    hours, moment = Hours(time=time, days=days), utc(1, 0, month=1) + timedelta(minutes=minutes)
    found = next_within(moment, zone, hours)
    assert found >= moment
    assert is_within(found, zone, hours)
    assert found - moment <= timedelta(days=14)
    quarters = (moment + n * (found - moment) / 8 for n in range(8))
    # If a clock change skips the beginning of the hours, they begin up to an hour late.
    assert not any(is_within(at, zone, hours) for at in quarters if found - at > timedelta(hours=1))


def test_an_unknown_zone_falls_back_to_the_teams_zone() -> None:
    rules = Rules(timezone="Asia/Tokyo")
    assert [zone_of(name, rules).key for name in (None, "", "Mars/Olympus", "Europe/Berlin")] == [
        "Asia/Tokyo",
        "Asia/Tokyo",
        "Asia/Tokyo",
        "Europe/Berlin",
    ]


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ("time: 8-20", "time: '8-20' is no time of day; write it such as 08:00-20:00."),
        ("time: '08:60-20:00'", "time: '08:60-20:00' is no time of day; write it such as 08:00-20:00."),
        ("time: '08:00-24:01'", "time: '08:00-24:01' is no time of day; write it such as 08:00-20:00."),
        ("time: 800", "time: write it such as 08:00-20:00."),
        (
            "time: '20:00-08:00'",
            "time: the first time must be earlier on the same day than the second; write it such as 08:00-20:00.",
        ),
        ("days: weekdays", "days: 'weekdays' are no days; write them such as mon-fri or mon,wed,sat-sun."),
        ("days: mon-wed-fri", "days: 'mon-wed-fri' are no days; write them such as mon-fri or mon,wed,sat-sun."),
        ("days: ''", "days: '' are no days; write them such as mon-fri or mon,wed,sat-sun."),
        ("days: 5", "days: write days such as mon-fri or mon,wed,sat-sun."),
    ],
)
def test_invalid_hours_give_one_line_that_shows_the_correct_form(tmp_path: Path, hours: str, words: str) -> None:
    path = tmp_path / "policy.yml"
    path.write_text(f"hours: {{{hours}}}", encoding="utf-8")
    with pytest.raises(Mistake) as caught:
        PolicySource(path, home_channel="C0HOME", admins=()).read()
    assert caught.value.words == f"GPUBOT_POLICY: line 1, hours.{words}"
