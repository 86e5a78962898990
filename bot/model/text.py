"""Plain text without Slack's markup.

The functions make untrusted text safe to store and show. They also format counts, durations, amounts and prices as
people read or type them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from bot.model.money import MICROS_PER_CENT, Micros, whole_cents_below

ELLIPSIS = "…"
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""The Unicode categories of control characters, format characters, surrogates and line separators."""


def one_line(text: str, limit: int) -> str:
    """Return `text` on one line, at most `limit` characters long, with only printable characters.

    Other characters could fake a line break, reverse the reading direction, or be impossible to store. Runs of
    whitespace become a single space.
    """
    text = text[: limit * 4 + 100]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else (" " if letter.isspace() else "") for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def short(word: str, limit: int = 40) -> str:
    """Shorten a word that an error message quotes. The result is one line of at most `limit` characters."""
    return one_line(word, limit)


def for_terminal(text: str) -> str:
    """Return `text` without characters that could control a terminal, such as escape sequences.

    Line breaks are kept.
    """
    return "".join(
        letter if letter == "\n" or unicodedata.category(letter) not in _STEERING else "" for letter in text
    )


def plural(count: int, singular: str, plural_form: str | None = None) -> str:
    """Return a count with its noun, such as `1 machine` or `3 machines`."""
    return f"{count} {singular if count == 1 else plural_form or singular + 's'}"


def listed(parts: Sequence[str], word: str = "and") -> str:
    """Join the parts as in a sentence: `a`, `a and b`, or `a, b and c`. `word` replaces `and`."""
    return f" {word} ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


# --- durations


def span(length: timedelta, *, zeros: bool = False) -> str:
    """Return a duration as people read it, in at most two units: `51 s`, `2 min 51 s`, `6 h 4 min`.

    Durations of 48 hours or more are given in days: `2 days 3 h`. A second unit that is 0 is left out, unless
    `zeros` is set: `2 h 0 min`.
    """
    seconds = max(length // timedelta(seconds=1), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 60:
        big, small, units = minutes, seconds % 60, ("min", "s")
    elif hours < 48:
        big, small, units = hours, minutes % 60, ("h", "min")
    else:
        big, small, units = hours // 24, hours % 24, ("days", "h")
    return f"{big} {units[0]}" + (f" {small} {units[1]}" if small or zeros else "")


def about_span(length: timedelta) -> str:
    """Return an estimated duration, rounded to minutes and at least one minute."""
    return span(timedelta(minutes=max((length + timedelta(seconds=30)) // timedelta(minutes=1), 1)))


def rough_span(length: timedelta) -> str:
    """Return a duration in one unit, rounded down: `40 s`, `3 min`, `2 h`, or `a moment` if below a second."""
    seconds = max(length // timedelta(seconds=1), 0)
    if seconds < 60:
        return f"{seconds} s" if seconds else "a moment"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


def say_clock_gap(ahead: timedelta, whose: str, *, zeros: bool = False) -> str:
    """Return a phrase for the difference between two clocks: `2 h ahead of the database's`.

    `ahead` is negative if the clock is behind the other one.
    """
    return f"{span(abs(ahead), zeros=zeros)} {'ahead of' if ahead > timedelta(0) else 'behind'} {whose}"


def say_span(span: timedelta) -> str:
    """Return a duration as people type it: `6h`, `1h30m`, `45m`, `90s`."""
    minutes, seconds = divmod(span // timedelta(seconds=1), 60)
    if seconds:
        return f"{minutes * 60 + seconds}s"
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or not hours else "")


def say_utc(moment: datetime, now: datetime) -> str:
    """Return a time in UTC, as programs read it: `13:00 UTC`, `tomorrow at 10:05 UTC` or `14 Dec at 10:05 UTC`."""
    moment, now = moment.astimezone(UTC), now.astimezone(UTC)
    time = f"{moment:%H:%M} UTC"
    days = (moment.date() - now.date()).days
    return {0: time, 1: f"tomorrow at {time}"}.get(days, f"{moment.day} {moment:%b} at {time}")


# --- amounts and prices


def say_dollars(amount: Micros) -> str:
    """Return an amount of money to the cent: `$14.68`, `<$0.01`."""
    if 0 < amount < MICROS_PER_CENT:
        return "<$0.01"
    return ("-" if amount < 0 else "") + _dollars_and_cents(round(Fraction(abs(amount), MICROS_PER_CENT)))


def say_at_most(amount: Micros) -> str:
    """Return the most that something can cost, rounded up to the cent: `$9.21`."""
    return _dollars_and_cents(-(-max(amount, 0) // MICROS_PER_CENT))


def _dollars_and_cents(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02d}"


def say_rate(rate: Decimal) -> str:
    """Return an exact rate in dollars with two decimals, or with four or more if needed.

    Three decimals are avoided because they could be misread as thousands.
    """
    whole, _, decimals = format(rate, "f").partition(".")
    decimals = decimals.rstrip("0")
    return f"${whole}.{decimals.ljust(4 if len(decimals) > 2 else 2, '0')}"


def say_price(rate: Decimal) -> str:
    """Return an hourly price to the cent, without "per hour": `$2.15`.

    A price with more than two decimals is rounded up and preceded by "about": `about $2.16`.
    """
    shown = max(rate, Decimal(0)).quantize(Decimal("0.01"), rounding=ROUND_CEILING)
    return f"{'' if shown == rate else 'about '}${shown:,}"


def say_limit(rate: Decimal) -> str:
    """Return the text of the highest allowed price, in whole cents and without "per hour": `$2.47`.

    The price is rounded down, so that a machine at the displayed price is always allowed.
    """
    return f"${whole_cents_below(max(rate, Decimal(0))):,.2f}"
