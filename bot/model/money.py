"""Money: amounts are whole micro-dollars, and rates are exact decimals in USD per hour. Floats are never used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

Micros = int
"""An amount of money in millionths of a US dollar."""

MICROS_PER_DOLLAR = 1_000_000
_CENT = Decimal("0.01")
MICROS_PER_CENT = MICROS_PER_DOLLAR // 100
_MICROSECONDS_PER_HOUR = 3_600_000_000


def _exact(rate: Decimal, span: timedelta) -> Fraction:
    numerator, denominator = rate.as_integer_ratio()
    microseconds = span // timedelta(microseconds=1)
    return Fraction(numerator * MICROS_PER_DOLLAR * microseconds, denominator * _MICROSECONDS_PER_HOUR)


def cost(rate: Decimal, span: timedelta) -> Micros:
    """Return the cost of a span of time at `rate` USD per hour, in micro-dollars.

    The result is rounded once, half to even.
    """
    return round(_exact(rate, span))


def cost_at_most(rate: Decimal, span: timedelta) -> Micros:
    """Return the cost as `cost` does, but rounded up. Use it for totals that must not be exceeded."""
    return math.ceil(_exact(rate, span))


def time_for(amount: Decimal, rate: Decimal) -> timedelta:
    """Return the time in which `rate` USD per hour adds up to `amount` USD, rounded up to a microsecond.

    `rate` must be more than 0. Raises OverflowError if the result is too long for a timedelta.
    """
    return timedelta(microseconds=math.ceil(Fraction(amount) / Fraction(rate) * _MICROSECONDS_PER_HOUR))


def rate_for(total: Micros, span: timedelta) -> Decimal:
    """Return the highest hourly rate at which a machine costs at most `total` during `span`.

    The rate is rounded down to whole cents. It is at least zero.
    """
    cents = Fraction(total, MICROS_PER_DOLLAR) * 100 * _MICROSECONDS_PER_HOUR / (span // timedelta(microseconds=1))
    return max(Decimal(math.floor(cents)) * _CENT, Decimal(0))


def whole_cents_below(rate: Decimal) -> Decimal:
    """Return `rate` rounded down to whole cents, for limits that people read."""
    return rate.quantize(_CENT, rounding=ROUND_FLOOR)


def whole_cents(amount: Micros) -> Micros:
    """Return `amount` rounded down to whole cents, for limits that people read."""
    return amount // MICROS_PER_CENT * MICROS_PER_CENT


def in_cents(parts: Sequence[Micros], total: Micros | None = None) -> list[Micros]:
    """Round the amounts to whole cents so that they still add up.

    The results add up to `total`. If `total` is None, they add up to the rounded sum of the exact amounts. Each
    amount is first rounded down. The missing cents are then added to the amounts with the largest remainders. Each
    result is therefore less than a cent from its exact value.

    Use this function for every table or text whose amounts have to add up. If a row is divided into smaller
    amounts, first round the rows, and then the amounts of each row, with the rounded row as `total`.

    Args:
        parts: The exact amounts.
        total: The sum, if it is displayed already. It may have been rounded up or down.
    """
    rounded = [part // MICROS_PER_CENT for part in parts]
    whole = round(Fraction(sum(parts) if total is None else total, MICROS_PER_CENT))
    missing = whole - sum(rounded)
    for n in sorted(range(len(parts)), key=lambda n: -(parts[n] % MICROS_PER_CENT))[:missing]:
        rounded[n] += 1
    return [cents * MICROS_PER_CENT for cents in rounded]


def micros(dollars: Decimal) -> Micros:
    """Return a dollar amount in whole micro-dollars, rounded up."""
    return math.ceil(dollars * MICROS_PER_DOLLAR)


def in_dollars(amount: Micros) -> Decimal:
    """Return an amount in dollars, exact and with six decimals."""
    return Decimal(amount).scaleb(-6)
