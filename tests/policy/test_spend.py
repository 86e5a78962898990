"""Tests of spend calculations: periods, rows, days, forecasts and unusual days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.model.base import changed
from bot.model.budget import Charge
from bot.model.money import MICROS_PER_DOLLAR
from bot.model.spend import PeriodKind
from bot.policy.buying import spend
from bot.policy.buying.months import month_of
from bot.policy.buying.spend import (
    Running,
    by_day,
    day_starts,
    forecast,
    in_period,
    is_unusual,
    period_of,
    usual_day,
)

UTC_ZONE, BERLIN, AUCKLAND = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
"""Noon on a Saturday."""
H, DAY, DOLLAR = timedelta(hours=1), timedelta(days=1), MICROS_PER_DOLLAR


def charge(start: datetime, span: timedelta, amount: int, **fields: Any) -> Charge:
    given = {
        "resource_id": f"r-{start}-{amount}",
        "n": 1,
        "started_at": start,
        "ended_at": start + span,
        "rental_id": "k7mq2",
        "month": month_of(start, UTC_ZONE),
        "owner": "U0ANA",
        "project": "vision",
        "gpus": 1,
        "rate": Decimal("2.00"),
        "amount": amount,
        "unknown": amount,
    }
    return Charge(**{**given, **fields})


# --- periods


@pytest.mark.parametrize(
    ("words", "zone", "span", "month", "running"),
    [
        ("today", UTC_ZONE, "2026-11-28T00 2026-11-29T00", "2026-11", True),
        ("today", AUCKLAND, "2026-11-28T11 2026-11-29T11", "2026-11", True),
        ("week", UTC_ZONE, "2026-11-23T00 2026-11-29T00", "2026-11", True),
        ("month", UTC_ZONE, "2026-11-01T00 2026-12-01T00", "2026-11", True),
        ("month", BERLIN, "2026-10-31T23 2026-11-30T23", "2026-11", True),
        ("last month", BERLIN, "2026-09-30T22 2026-10-31T23", "2026-10", False),
        ("2025-02", UTC_ZONE, "2025-02-01T00 2025-03-01T00", "2025-02", False),
        ("november", UTC_ZONE, "2026-11-01T00 2026-12-01T00", "2026-11", True),
        ("december", UTC_ZONE, "2025-12-01T00 2026-01-01T00", "2025-12", False),
    ],
)
def test_typed_periods_are_days_in_the_zone_of_the_invoice(
    words: str, zone: ZoneInfo, span: str, month: str, running: bool
) -> None:
    assert spend.is_period(words)
    period = period_of(words, NOON, zone)
    assert f"{period.start:%Y-%m-%dT%H} {period.end:%Y-%m-%dT%H}" == span
    assert (period.month, period.running) == (month, running)
    assert period_of(period.words, NOON, zone) == period


def test_the_month_before_january_is_in_the_year_before() -> None:
    assert period_of("last month", datetime(2027, 1, 3, tzinfo=UTC), UTC_ZONE).month == "2026-12"
    assert spend.month_before("2027-01") == "2026-12"


def test_a_month_that_has_not_begun_is_refused() -> None:
    with pytest.raises(Mistake, match="2026-12 hasn't begun yet"):
        period_of("2026-12", NOON, UTC_ZONE)


@pytest.mark.parametrize("words", ["", "yesterday", "2026-13", "2026", "1999-01", "last week"])
def test_other_words_do_not_name_a_period(words: str) -> None:
    assert not spend.is_period(words)


def test_the_days_of_a_month_follow_clock_changes() -> None:
    starts = day_starts(datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC), BERLIN)
    assert [f"{start:%d %H}" for start in starts] == ["23 22", "24 22", "25 23"]


# --- sums


def test_a_week_contains_only_the_parts_of_charges_within_it() -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    ours = charge(monday - H, 4 * H, 4_000_001, gpus=8, unknown=1_000_001, idle=3_000_000, late=1_000)
    found = in_period([ours], period_of("week", NOON, UTC_ZONE), lambda one: one.owner)["U0ANA"]
    assert found.amount == 4_000_001 - 250_000 - 750_000
    assert (found.use.idle, found.use.unknown, found.late) == (2_250_000, 750_001, 750)
    assert (found.gpu_time, found.rentals) == (24 * H, 1)


def test_a_month_contains_the_same_corrections_as_its_file() -> None:
    october = charge(datetime(2026, 10, 9, tzinfo=UTC), H, 7, month="2026-11", correction=True)
    november = charge(NOON, H, 5, owner="U0BEN", estimated=True)
    found = in_period([october, november], period_of("month", NOON, UTC_ZONE), lambda one: one.owner)
    assert {who: spent.amount for who, spent in found.items()} == {"U0ANA": 7, "U0BEN": 5}
    assert [spent.estimated for spent in found.values()] == [0, 5]
    assert in_period([october], period_of("2026-10", NOON, UTC_ZONE), lambda one: one.owner) == {}


CHARGES = st.lists(
    st.builds(
        charge,
        st.datetimes(datetime(2026, 10, 20), datetime(2026, 11, 28), timezones=st.just(UTC)),  # noqa: DTZ001
        st.timedeltas(timedelta(), timedelta(days=9)),
        st.integers(0, 10**9),
    ),
    max_size=8,
)


@given(charges=CHARGES, zone=st.sampled_from([UTC_ZONE, BERLIN, AUCKLAND]))
def test_the_days_add_up_exactly_to_the_charges(charges: list[Charge], zone: ZoneInfo) -> None:
    period = period_of("month", NOON, zone)
    days = by_day(charges, day_starts(period.start, NOON, zone))
    assert sum(days) == sum(one.amount for one in charges)
    assert sum(point.amount for point in spend.points([(NOON.date(), day) for day in days])) == sum(days)


@given(charges=CHARGES)
def test_today_and_the_days_before_add_up_to_the_week(charges: list[Charge]) -> None:
    week = period_of("week", NOON, UTC_ZONE)
    today = period_of("today", NOON, UTC_ZONE)
    before = changed(week, end=today.start)
    parts = [spend.whole(charges, period) for period in (before, today)]
    together = spend.whole(charges, week)
    assert sum(part.amount for part in parts) == together.amount
    assert sum((part.gpu_time for part in parts), timedelta()) == together.gpu_time


def test_a_chart_of_more_than_20_days_has_a_point_per_week() -> None:
    first = date(2026, 11, 1)
    days = [(first + n * DAY, 1) for n in range(30)]
    assert [point.first for point in spend.points(days[:20])] == [day for day, _ in days[:20]]
    weeks = spend.points(days[:21])
    assert [(point.first.day, point.last.day, point.amount) for point in weeks] == [
        *[(1, 1, 1), (2, 8, 7), (9, 15, 7), (16, 21, 6)]
    ]


# --- usual days and forecasts


@pytest.mark.parametrize(
    ("past", "usual"),
    [
        ([], None),
        ([5, 5, 5, 5], None),
        ([9, 1, 5, 3, 7], 5),
        ([1, 2, 3, 4, 5, 7], 3),
        ([1000] * 9 + [2] * 14, 2),
    ],
)
def test_the_usual_day_is_the_median_of_up_to_14_days(past: list[int], usual: int | None) -> None:
    assert usual_day(past) == usual


MONTH_END = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("today", "running", "expected"),
    [
        (0, [], 100 + 3 * 10),
        (4, [], 100 + 6 + 2 * 10),
        (50, [], 100 + 0 + 2 * 10),
        (0, [Running(Decimal(1), MONTH_END + DAY)], 100 + 12 + 2 * 24),
        (0, [Running(Decimal(1), NOON + 13 * H)], 100 + 12 + 2 * 10),
        (0, [Running(Decimal("0.25"), MONTH_END)] * 4, 100 + 12 + 2 * 24),
        (0, [Running(Decimal(1), NOON - H)], 100 + 3 * 10),
    ],
)
def test_each_remaining_day_costs_the_running_machines_or_a_usual_day(
    today: int, running: list[Running], expected: int
) -> None:
    found = forecast(
        spent=100 * DOLLAR,
        today=today * DOLLAR,
        past=[10 * DOLLAR] * 5,
        running=running,
        now=NOON,
        end=MONTH_END,
        zone=UTC_ZONE,
    )
    assert found == expected * DOLLAR


def test_there_is_no_forecast_with_less_than_five_days_of_history() -> None:
    found = forecast(spent=1, today=1, past=[10] * 4, running=[], now=NOON, end=MONTH_END, zone=UTC_ZONE)
    assert found is None


@given(
    past=st.lists(st.integers(0, 10**10), min_size=5, max_size=20),
    spent=st.integers(0, 10**10),
    rates=st.lists(st.decimals("0.01", "100", places=2), max_size=3),
    now=st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from([UTC_ZONE, BERLIN, AUCKLAND]),
)
def test_a_forecast_covers_the_spent_amount_and_the_running_machines(
    past: list[int], spent: int, rates: list[Decimal], now: datetime, zone: ZoneInfo
) -> None:
    end = period_of("month", now, zone).end
    running = [Running(rate, end + DAY) for rate in rates]
    found = forecast(spent=spent, today=spent // 3, past=past, running=running, now=now, end=end, zone=zone)
    runs = sum(rates, Decimal(0)) * Decimal((end - now) // timedelta(microseconds=1)) / 3600
    assert found is not None
    assert found >= spent
    assert found >= spent + int(runs) - 40 * len(rates)


@pytest.mark.parametrize(
    ("today", "past", "expected"),
    [
        (301, [100] * 5, True),
        (300, [100] * 5, False),
        (301, [100] * 4, False),
        (101, [0] * 14, True),
        (100, [0] * 14, False),
        (99, [10] * 14, False),
        (301, [100] * 8 + [1000] * 6, True),
    ],
)
def test_a_day_is_unusual_above_three_usual_days_and_the_threshold(
    today: int, past: list[int], expected: bool
) -> None:
    days = [amount * DOLLAR for amount in past]
    assert is_unusual(today * DOLLAR, days, Decimal("100.00")) is expected


def test_period_kinds_are_the_words_that_people_type() -> None:
    assert [*PeriodKind] == ["today", "week", "month"]
