"""Tests of calendar months in the time zone of the invoice, including clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.buying.months import month_end, month_of, month_start, months_between, next_month

UTC_ZONE, BERLIN, AUCKLAND = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland")
ZONES = st.sampled_from([UTC_ZONE, BERLIN, AUCKLAND, ZoneInfo("America/Chicago")])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - limits


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        (UTC_ZONE, datetime(2026, 11, 1, tzinfo=UTC), 720),
        (BERLIN, datetime(2026, 9, 30, 22, tzinfo=UTC), 745),  # In October, one hour occurs twice.
        (BERLIN, datetime(2027, 2, 28, 23, tzinfo=UTC), 743),  # In March, one hour is skipped.
    ],
)
def test_a_month_begins_at_midnight_in_its_zone(zone: ZoneInfo, start: datetime, hours: int) -> None:
    month = month_of(start, zone)
    assert month_start(month, zone) == start
    assert month_end(month, zone) - start == timedelta(hours=hours)
    assert month_of(start - timedelta(microseconds=1), zone) < month


@given(at=MOMENTS, zone=ZONES)
def test_each_moment_falls_into_exactly_one_month(at: datetime, zone: ZoneInfo) -> None:
    month = month_of(at, zone)
    assert month_start(month, zone) <= at < month_end(month, zone) == month_start(next_month(month), zone)


def test_a_span_overlaps_the_months_from_its_start_to_its_end() -> None:
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert months_between(new_year - timedelta(days=40), new_year, UTC_ZONE) == ("2026-11", "2026-12")
    later = new_year + timedelta(microseconds=1)
    assert months_between(new_year - timedelta(days=40), later, UTC_ZONE) == ("2026-11", "2026-12", "2027-01")
    assert months_between(new_year, new_year, UTC_ZONE) == ("2027-01",)
    assert months_between(new_year, new_year - timedelta(days=60), UTC_ZONE) == ("2027-01",)
