"""Text from outside, made safe to store and show; durations and rates as people type them."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from bot.model.money import MICROS_PER_DOLLAR, Micros, whole_cents_below

ELLIPSIS = "…"
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, format characters, surrogates and other separators of lines."""


def one_line(text: str, limit: int) -> str:
    """Return `text` on one line without control, format, surrogate or unassigned characters, at most `limit` long.

    Such characters could fake a line, turn the reading direction, or be impossible to store. Each run of spaces
    becomes one space.
    """
    text = text[: limit * 4 + 100]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else (" " if letter.isspace() else "") for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def for_terminal(text: str) -> str:
    """Return `text` without characters that could steer a terminal, such as escape sequences. Line breaks stay."""
    return "".join(
        letter if letter == "\n" or unicodedata.category(letter) not in _STEERING else "" for letter in text
    )


def span(length: timedelta) -> str:
    """Return a duration as people read it, in at most two units: `51 s`, `2 min 51 s`, `6 h 4 min`.

    From 48 hours on it is in days: `2 days 3 h`.
    """
    seconds = max(length // timedelta(seconds=1), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return _two_units(seconds // 60, "min", seconds % 60, "s")
    minutes = seconds // 60
    if minutes < 48 * 60:
        return _two_units(minutes // 60, "h", minutes % 60, "min")
    hours = minutes // 60
    return _two_units(hours // 24, "days", hours % 24, "h")


def _two_units(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big} {big_unit}" + (f" {small} {small_unit}" if small else "")


def say_span(span: timedelta) -> str:
    """Return a duration as people type it: `6h`, `1h30m`, `45m`, `90s`."""
    minutes, seconds = divmod(span // timedelta(seconds=1), 60)
    if seconds:
        return f"{minutes * 60 + seconds}s"
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or not hours else "")


def say_rate(rate: Decimal) -> str:
    """Return the exact rate in dollars with two decimals, or with four or more if needed. Three decimals could be
    misread as thousands."""
    whole, _, decimals = format(rate, "f").partition(".")
    decimals = decimals.rstrip("0")
    return f"${whole}.{decimals.ljust(4 if len(decimals) > 2 else 2, '0')}"


def say_price(rate: Decimal) -> str:
    """Return the price of an offer or a machine to the cent, without its unit: `$2.15`.

    A price with more than two decimals is rounded up, and "about" precedes it: `about $2.16`.
    """
    shown = max(rate, Decimal(0)).quantize(Decimal("0.01"), rounding=ROUND_CEILING)
    return f"{'' if shown == rate else 'about '}${shown:,}"


def say_limit(rate: Decimal) -> str:
    """Return a highest price to the cent, without its unit: `$2.47`.

    It is rounded down, so that nothing that is bought costs more than people read.
    """
    return f"${whole_cents_below(max(rate, Decimal(0))):,.2f}"


def say_at_most(amount: Micros) -> str:
    """Return the most that something can cost, to the cent: `$9.21`. It is rounded up, so that it never costs more
    than people read."""
    return f"${Decimal(-(-max(amount, 0) * 100 // MICROS_PER_DOLLAR)).scaleb(-2):,.2f}"


def short(word: str, limit: int = 40) -> str:
    """Return a word as an error quotes it: on one line, at most `limit` long."""
    return one_line(word, limit)
