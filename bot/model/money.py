"""Money: amounts are whole micro-dollars, rates are exact decimals of USD per hour. No float touches either."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

Micros = int
"""An amount in millionths of a US dollar."""

MICROS_PER_DOLLAR = 1_000_000
_CENT = Decimal("0.01")
MICROS_PER_CENT = MICROS_PER_DOLLAR // 100
_MICROSECONDS_PER_HOUR = 3_600_000_000


def _exact(rate: Decimal, span: timedelta) -> Fraction:
    numerator, denominator = rate.as_integer_ratio()
    microseconds = span // timedelta(microseconds=1)
    return Fraction(numerator * MICROS_PER_DOLLAR * microseconds, denominator * _MICROSECONDS_PER_HOUR)


def cost(rate: Decimal, span: timedelta) -> Micros:
    """Return what `rate` USD per hour costs over `span`, rounded once, half to even, to a micro-dollar."""
    return round(_exact(rate, span))


def cost_at_most(rate: Decimal, span: timedelta) -> Micros:
    """Return the cost as `cost` does, but rounded up: for totals that must not be exceeded."""
    return math.ceil(_exact(rate, span))


def time_for(amount: Decimal, rate: Decimal) -> timedelta:
    """Return how long `rate` USD per hour, more than 0, takes to cost `amount` USD, rounded up to a microsecond.
    Raise OverflowError if that is too long for a timedelta.
    """
    return timedelta(microseconds=math.ceil(Fraction(amount) / Fraction(rate) * _MICROSECONDS_PER_HOUR))


def rate_for(total: Micros, span: timedelta) -> Decimal:
    """Return the highest hourly rate, in whole cents, that stays within `total` over `span`, or zero."""
    cents = Fraction(total, MICROS_PER_DOLLAR) * 100 * _MICROSECONDS_PER_HOUR / (span // timedelta(microseconds=1))
    return max(Decimal(math.floor(cents)) * _CENT, Decimal(0))


def whole_cents_below(rate: Decimal) -> Decimal:
    """Return `rate` cut down to whole cents, so that people read exactly the limit that holds."""
    return rate.quantize(_CENT, rounding=ROUND_FLOOR)


def whole_cents(amount: Micros) -> Micros:
    """Return `amount` cut down to whole cents: a limit that people read."""
    return amount // MICROS_PER_CENT * MICROS_PER_CENT


def in_cents(parts: Sequence[Micros], total: Micros | None = None) -> list[Micros]:
    """Return amounts in whole cents that add up to `total`, or else to their sum rounded to whole cents.

    Each amount is rounded down. The cents that are then missing go to the amounts with the largest remainders, so
    that each is less than a cent from its exact value. All tables and texts whose amounts add up use this, first
    for the rows, and then for the parts of each row, with the row's amount as their `total`.

    Args:
        parts: The exact amounts.
        total: The sum as it is shown, if it is shown already. It may have been rounded up or down.
    """
    rounded = [part // MICROS_PER_CENT for part in parts]
    whole = round(Fraction(sum(parts) if total is None else total, MICROS_PER_CENT))
    missing = whole - sum(rounded)
    for n in sorted(range(len(parts)), key=lambda n: -(parts[n] % MICROS_PER_CENT))[:missing]:
        rounded[n] += 1
    return [cents * MICROS_PER_CENT for cents in rounded]


def micros(dollars: Decimal) -> Micros:
    """Return dollars in whole micro-dollars, rounded up: for caps and limits."""
    return math.ceil(dollars * MICROS_PER_DOLLAR)


def in_dollars(amount: Micros) -> Decimal:
    """Return an amount in dollars, exactly and with six decimals."""
    return Decimal(amount).scaleb(-6)
