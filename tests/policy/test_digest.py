"""Tests of when the home channel gets the weekly digest, including clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.buying.spend import newest_digest, week_of
from bot.policy.team.rules import Rules

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - limits


def rules(weekday: int = 0, minutes: int = 9 * 60, zone: str = "UTC") -> Rules:
    return Rules(digest=(weekday, minutes), timezone=zone)


def test_no_digest_is_due_if_the_policy_has_none() -> None:
    assert newest_digest(MONDAY, Rules()) is None


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (MONDAY + timedelta(hours=8, minutes=59), MONDAY - timedelta(days=7, hours=-9)),
        (MONDAY + timedelta(hours=9), MONDAY + timedelta(hours=9)),
        (MONDAY + timedelta(days=6, hours=23), MONDAY + timedelta(hours=9)),
    ],
)
def test_a_digest_is_due_once_a_week_at_its_time(now: datetime, due: datetime) -> None:
    assert newest_digest(now, rules()) == due


def test_a_digest_covers_the_seven_days_before_its_day() -> None:
    week = week_of(MONDAY + timedelta(hours=9), rules())
    assert (week.first, week.last) == (date(2026, 11, 16), date(2026, 11, 22))
    assert (week.start, week.end) == (MONDAY - timedelta(days=7), MONDAY)
    berlin = rules(zone="Europe/Berlin")
    week = week_of(datetime(2026, 10, 26, 8, tzinfo=UTC), berlin)
    assert week.end - week.start == timedelta(days=7, hours=1), "the clocks are set back in that week"


@given(
    now=MOMENTS,
    weekday=st.integers(0, 6),
    minutes=st.integers(0, 24 * 60 - 1),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/Chicago"]),
)
def test_the_newest_digest_was_due_within_about_the_last_week(
    now: datetime, weekday: int, minutes: int, zone: str
) -> None:
    due = newest_digest(now, rules(weekday, minutes, zone))
    assert due is not None
    assert timedelta(0) <= now - due <= timedelta(days=7, hours=1)
    assert newest_digest(due, rules(weekday, minutes, zone)) == due
    assert week_of(due, rules(weekday, minutes, zone)).end <= due
    assert due.astimezone(ZoneInfo(zone)).weekday() == weekday
