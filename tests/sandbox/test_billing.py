"""The bill: hourly rate x exact duration, rounded once, half to even."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.compute.billing import micros
from tests.sandbox.compute_world import NOON


@pytest.mark.parametrize(
    ("rate", "time", "expected"),
    [
        ("2.15", timedelta(hours=1), 2_150_000),
        ("2.42", timedelta(hours=6, minutes=4), 14_681_333),
        ("0.0018", timedelta(seconds=1), 0),  # exactly half a micro-dollar is rounded to the even number 0
        ("0.0054", timedelta(seconds=1), 2),  # exactly one and a half is rounded to the even number 2
        ("3600", timedelta(microseconds=1), 1),
        ("18.40", timedelta(0), 0),
        ("0", timedelta(days=400), 0),
    ],
)
def test_amounts_are_exact(rate: str, time: timedelta, expected: int) -> None:
    assert micros(Decimal(rate), NOON, NOON + time) == expected


@given(
    st.decimals(0, 1000, places=6),
    st.datetimes(timezones=st.just(UTC), max_value=datetime.fromisoformat("9000-01-01")),
    st.timedeltas(timedelta(0), timedelta(days=365)),
)
def test_the_amount_is_never_more_than_half_a_micro_dollar_off(
    rate: Decimal, start: datetime, time: timedelta
) -> None:
    exact = Fraction(rate) * Fraction(time // timedelta(microseconds=1)) / 3600
    assert abs(micros(rate, start, start + time) - exact) <= Fraction(1, 2)
