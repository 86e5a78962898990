"""The time at which a budget will be used up at today's rate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.buying.budgets import used_up_at

UTC_ZONE, AUCKLAND = ZoneInfo("UTC"), ZoneInfo("Pacific/Auckland")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DOLLAR, HOUR = 1_000_000, timedelta(hours=1)


def test_a_budget_is_used_up_when_spending_at_todays_rate_reaches_it() -> None:
    found = used_up_at(100 * DOLLAR, 40 * DOLLAR, Decimal("2.50"), NOON, UTC_ZONE)
    assert found == NOON + 24 * HOUR


@pytest.mark.parametrize(
    ("spent", "rate"),
    [
        pytest.param(40, "0", id="nothing runs"),
        pytest.param(100, "2.50", id="it is used up already"),
        pytest.param(120, "2.50", id="more than the budget is spent"),
        pytest.param(40, "0.0000000001", id="the rate is tiny"),
    ],
)
def test_a_budget_that_cannot_be_used_up_this_month_has_no_time(spent: int, rate: str) -> None:
    assert used_up_at(100 * DOLLAR, spent * DOLLAR, Decimal(rate), NOON, UTC_ZONE) is None


def test_the_month_ends_at_midnight_of_the_billing_time_zone() -> None:
    """156 hours are left in UTC, and 13 hours less in Auckland."""
    for zone, hours in ((UTC_ZONE, 156), (AUCKLAND, 143)):
        assert used_up_at(hours * DOLLAR, 0, Decimal(1), NOON, zone) is None
        assert used_up_at(hours * DOLLAR - DOLLAR, 0, Decimal(1), NOON, zone) == NOON + (hours - 1) * HOUR


@given(
    budget=st.integers(1, 10**11),
    spent=st.integers(0, 10**11),
    rate=st.decimals("0.01", "500", places=4),
    now=st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 30), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_what_is_spent_at_that_time_is_the_budget(budget: int, spent: int, rate: Decimal, now: datetime) -> None:
    found = used_up_at(budget, spent, rate, now, UTC_ZONE)
    rest = datetime(2026, 12, 1, tzinfo=UTC) - now
    if found is None:
        assert spent >= budget or spent + _cost(rate, rest) <= budget
    else:
        assert now <= found < now + rest
        assert 0 <= budget - spent - _cost(rate, found - now) < 1


def _cost(rate: Decimal, span: timedelta) -> Fraction:
    """Return the exact cost of a time, in micro-dollars."""
    return Fraction(rate) * Fraction(span // timedelta(microseconds=1), 3600)
