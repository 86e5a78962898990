"""Money: amounts are whole micro-dollars, rates are exact decimals of USD per hour. No float touches either."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

Micros = int
"""An amount in millionths of a US dollar."""

MICROS_PER_DOLLAR = 1_000_000
_CENT = Decimal("0.01")
_MICROSECONDS_PER_HOUR = 3_600_000_000


def _exact(rate: Decimal, span: timedelta) -> Fraction:
    dollars, of = rate.as_integer_ratio()
    microseconds = span // timedelta(microseconds=1)
    return Fraction(dollars * MICROS_PER_DOLLAR * microseconds, of * _MICROSECONDS_PER_HOUR)


def cost(rate: Decimal, span: timedelta) -> Micros:
    """What `rate` USD per hour comes to over `span`, rounded half-even once to the micro-dollar."""
    return round(_exact(rate, span))


def cost_at_most(rate: Decimal, span: timedelta) -> Micros:
    """As `cost`, rounded up: for what a person is told it can come to."""
    return math.ceil(_exact(rate, span))


def rate_for(total: Micros, span: timedelta) -> Decimal:
    """The highest hourly rate, in whole cents, that stays within `total` over `span`. Zero where none does."""
    cents = Fraction(total, MICROS_PER_DOLLAR) * 100 * _MICROSECONDS_PER_HOUR / (span // timedelta(microseconds=1))
    return max(Decimal(math.floor(cents)) * _CENT, Decimal(0))


def whole_cents_below(rate: Decimal) -> Decimal:
    """`rate` cut down to whole cents, so that the cap that is printed is the cap that holds."""
    return rate.quantize(_CENT, rounding=ROUND_FLOOR)


def micros(dollars: Decimal) -> Micros:
    """Whole micro-dollars of an amount of dollars, rounded up: for caps and limits."""
    return math.ceil(dollars * MICROS_PER_DOLLAR)
