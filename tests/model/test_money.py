"""Tests that amounts are exact, by comparing them with the same calculation in fractions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.money import cost, cost_at_most, in_cents, micros, rate_for, whole_cents_below

RATES = st.decimals("0", "1000", places=6)
SPANS = st.integers(0, 10**13).map(lambda n: timedelta(microseconds=n))
SOME_TIME = st.integers(1, 10**13).map(lambda n: timedelta(microseconds=n))


def exact(rate: Decimal, span: timedelta) -> Fraction:
    """Return the exact cost in micro-dollars."""
    hours = Fraction(span // timedelta(microseconds=1), 3_600_000_000)
    return Fraction(rate) * hours * 1_000_000


@pytest.mark.parametrize(
    ("rate", "span", "amount"),
    [
        ("2.15", timedelta(hours=6), 12_900_000),
        ("2.42", timedelta(hours=6, minutes=4), 14_681_333),
        ("1.00", timedelta(0), 0),
        # Exactly half a micro-dollar is rounded to the even one.
        ("0.0018", timedelta(seconds=1), 0),
        ("0.0054", timedelta(seconds=1), 2),
        ("0.009", timedelta(seconds=1), 2),
        ("0.0126", timedelta(seconds=1), 4),
    ],
)
def test_a_cost_is_rounded_half_to_the_even_micro_dollar(rate: str, span: timedelta, amount: int) -> None:
    assert cost(Decimal(rate), span) == amount


@given(RATES, SPANS)
def test_a_cost_is_the_nearest_micro_dollar(rate: Decimal, span: timedelta) -> None:
    amount = cost(rate, span)
    assert isinstance(amount, int)
    off = abs(amount - exact(rate, span))
    assert off <= Fraction(1, 2)
    assert off < Fraction(1, 2) or amount % 2 == 0


@given(RATES, SPANS)
def test_the_highest_cost_is_rounded_up_to_a_micro_dollar(rate: Decimal, span: timedelta) -> None:
    assert 0 <= cost_at_most(rate, span) - exact(rate, span) < 1


@given(st.integers(0, 10**12), SOME_TIME)
def test_the_rate_for_a_total_is_the_highest_in_whole_cents_within_it(total: int, span: timedelta) -> None:
    rate = rate_for(total, span)
    assert rate % Decimal("0.01") == 0
    assert cost_at_most(rate, span) <= total
    assert exact(rate + Decimal("0.01"), span) > total


AMOUNTS = st.integers(0, 10**10) | st.integers(0, 30_000)
CENT = 10_000


@given(st.lists(st.lists(AMOUNTS, min_size=1, max_size=5), min_size=1, max_size=20))
def test_rows_and_their_parts_still_add_up_after_rounding_to_cents(rows: list[list[int]]) -> None:
    exact = [sum(parts) for parts in rows]
    shown = in_cents(exact)
    assert sum(shown) == round(Fraction(sum(exact), CENT)) * CENT
    for parts, row, amount in zip(rows, exact, shown, strict=True):
        shown_parts = in_cents(parts, amount)
        assert sum(shown_parts) == amount
        assert all(
            abs(one - other) < CENT for one, other in zip([*shown_parts, amount], [*parts, row], strict=True)
        )
        assert all(one % CENT == 0 for one in shown_parts)


def test_a_single_amount_is_rounded_to_the_nearest_cent() -> None:
    assert [in_cents([amount]) for amount in (14_684_999, 14_685_001, 0)] == [[14_680_000], [14_690_000], [0]]


def test_the_rate_for_a_total_below_zero_is_zero() -> None:
    assert rate_for(-5_000_000, timedelta(hours=1)) == 0


@given(RATES)
def test_a_rate_is_rounded_down_to_whole_cents(rate: Decimal) -> None:
    cut = whole_cents_below(rate)
    assert cut % Decimal("0.01") == 0
    assert Decimal(0) <= rate - cut < Decimal("0.01")


@given(st.decimals("0", "100000", places=8))
def test_dollars_are_rounded_up_to_a_micro_dollar(dollars: Decimal) -> None:
    assert 0 <= micros(dollars) - Fraction(dollars) * 1_000_000 < 1
