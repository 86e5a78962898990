"""Calculations for spend reports: sums over periods, forecasts, unusual days, and weekly digests.

Days begin at midnight in the policy's `billing.timezone`. Only digests use the policy's `timezone`. A charge is
spread evenly over the time that it covers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from bot.errors import Mistake, NextStep
from bot.model.budget import Charge, Month, UseCosts
from bot.model.money import Micros, cost, micros
from bot.model.spend import Period, PeriodKind, SpendPoint, Spent
from bot.policy.buying.charges import MICROSECOND, up_to
from bot.policy.buying.months import month_end, month_of, month_start
from bot.policy.team.hours import at_time
from bot.policy.team.rules import Rules

K = TypeVar("K", str, tuple[str, str])
"""The type of the keys by which charges are summed up: an ID or name, or a pair of these."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)
MEDIAN_OF = 14
"""The number of days before today whose median is the cost of a usual day."""
LEAST_DAYS = 5
"""The fewest days of history from which a usual day can be computed."""
UNUSUAL = 3
"""A day is unusual if its cost exceeds this number times the cost of a usual day."""
MOST_DAYS = 20
"""The largest number of days that a chart shows one by one. Longer charts show weeks."""
MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")

# --- periods


def is_period(words: str) -> bool:
    """Return whether these words name a period.

    Periods are `today`, `week`, `month`, `last month`, `2026-10` and `october`.
    """
    return words in {*PeriodKind, "last month", *MONTH_NAMES} or _MONTH.fullmatch(words) is not None


def period_of(words: str, now: datetime, zone: ZoneInfo) -> Period:
    """Return the period with this name, such as `last month`.

    A month without a year is the most recent month of that name.

    Raises:
        Mistake: The month hasn't begun yet.
        ValueError: The words don't name a period (see `is_period`). This is a bug in the caller.
    """
    today = now.astimezone(zone).date()
    month = month_of(now, zone)
    if words in {PeriodKind.TODAY, PeriodKind.WEEK}:
        first = today if words == PeriodKind.TODAY else today - timedelta(days=today.weekday())
        kind, end = PeriodKind(words), at_time(today + DAY, 0, zone)
        return Period(kind=kind, month=month, start=at_time(first, 0, zone), end=end, running=True)
    wanted = _month_of_words(words, month)
    if wanted > month:
        raise Mistake(f"{wanted} hasn't begun yet.", next_step=NextStep.READ_THIS_MONTH)
    return Period(
        kind=PeriodKind.MONTH,
        month=wanted,
        start=month_start(wanted, zone),
        end=month_end(wanted, zone),
        running=wanted == month,
    )


def _month_of_words(words: str, month: Month) -> Month:
    if _MONTH.fullmatch(words):
        return words
    if words == PeriodKind.MONTH:
        return month
    year, number = map(int, month.split("-"))
    named = (number - 2) % 12 + 1 if words == "last month" else MONTH_NAMES.index(words) + 1
    return f"{year - (named > number):04}-{named:02}"


def month_before(month: Month) -> Month:
    return _month_of_words("last month", month)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day in `zone` on which a moment falls."""
    return moment.astimezone(zone).date()


def day_starts(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the first moment of each day in `zone` between `start` and `end`.

    The first day is the one that contains `start`. `end` itself is excluded.
    """
    first, last = day_of(start, zone), day_of(max(start, end - MICROSECOND), zone)
    return [at_time(first + n * DAY, 0, zone) for n in range((last - first).days + 1)]


# --- sums


class _Sum:
    """A mutable sum of charges.

    A frozen model would have to be copied for each charge, which would make reports slow.
    """

    def __init__(self) -> None:
        self.rentals: set[str] = set()
        self.gpu_time = timedelta()
        self.used = self.connected = self.idle = self.unknown = self.late = self.estimated = 0

    def add(self, charge: Charge) -> None:
        self._add(charge, charge.ended_at - charge.started_at, lambda amount: amount)

    def add_part(self, charge: Charge, start: datetime, end: datetime) -> None:
        """Add the part of a charge that falls between `start` and `end`. `end` itself is excluded."""
        if charge.started_at >= end or (charge.ended_at <= start and charge.started_at < start):
            return
        if charge.started_at >= start and charge.ended_at <= end:
            self.add(charge)
            return
        length = min(charge.ended_at, end) - max(charge.started_at, start)
        self._add(charge, length, lambda amount: up_to(charge, end, amount) - up_to(charge, start, amount))

    def _add(self, charge: Charge, length: timedelta, part: Callable[[Micros], Micros]) -> None:
        shares = part(charge.used), part(charge.connected), part(charge.idle), part(charge.unknown)
        self.rentals.add(charge.rental_id)
        self.gpu_time += length * charge.gpus
        self.used += shares[0]
        self.connected += shares[1]
        self.idle += shares[2]
        self.unknown += shares[3]
        self.late += part(charge.late)
        self.estimated += sum(shares) if charge.estimated else 0

    def spent(self) -> Spent:
        return Spent(
            rentals=len(self.rentals),
            gpu_time=self.gpu_time,
            use=UseCosts(used=self.used, connected=self.connected, idle=self.idle, unknown=self.unknown),
            late=self.late,
            estimated=self.estimated,
        )


def in_period(charges: Iterable[Charge], period: Period, key: Callable[[Charge], K]) -> dict[K, Spent]:
    """Group a period's charges by a key, such as their owner, and return the sum of each group.

    A month contains the same charges as the month's CSV file, including corrections of earlier months. Days and
    weeks contain only the parts of charges that fall into them.
    """
    sums: defaultdict[K, _Sum] = defaultdict(_Sum)
    for charge in charges:
        if period.kind is PeriodKind.MONTH:
            if charge.month == period.month:
                sums[key(charge)].add(charge)
        elif charge.started_at < period.end and charge.ended_at >= period.start:
            sums[key(charge)].add_part(charge, period.start, period.end)
    return {each: one.spent() for each, one in sums.items() if one.rentals}


def whole(charges: Iterable[Charge], period: Period) -> Spent:
    """Return the sum of all charges in a period."""
    return in_period(charges, period, lambda _: "").get("", Spent())


def by_day(charges: Iterable[Charge], starts: Sequence[datetime]) -> list[Micros]:
    """Return the cost of each day.

    The costs of the days always add up to the sum of all charges. Charges from before the first day, such as
    corrections, are added to the first day. Charges from after the last day are added to the last day.

    Args:
        starts: The first moment of each day, in order. At least one.
    """
    days = [0] * len(starts)
    for charge in charges:
        first = max(bisect_right(starts, charge.started_at) - 1, 0)
        before = 0
        for n in range(first, len(starts)):
            following = starts[n + 1] if n + 1 < len(starts) else None
            until = charge.amount if following is None else up_to(charge, following)
            days[n] += until - before
            before = until
            if following is None or charge.ended_at <= following:
                break
    return days


def points(days: Sequence[tuple[date, Micros]]) -> tuple[SpendPoint, ...]:
    """Return the points of a chart: one per day or, if there are more than MOST_DAYS days, one per week.

    Weeks begin on Monday.
    """
    if len(days) <= MOST_DAYS:
        return tuple(SpendPoint(first=day, last=day, amount=amount) for day, amount in days)
    weeks = [list(week) for _, week in groupby(days, key=lambda day: day[0].isocalendar()[:2])]
    return tuple(
        SpendPoint(first=week[0][0], last=week[-1][0], amount=sum(amount for _, amount in week)) for week in weeks
    )


def days_of(charges: Iterable[Charge], period: Period, now: datetime, zone: ZoneInfo) -> list[tuple[date, Micros]]:
    """Return each day of a period up to now, with its cost.

    The costs of the days add up to the cost of the period.
    """
    starts = day_starts(period.start, min(now + MICROSECOND, period.end), zone)
    if period.kind is PeriodKind.MONTH:
        amounts = by_day([charge for charge in charges if charge.month == period.month], starts)
    else:
        amounts = by_day(charges, [starts[0] - DAY, *starts])[1:]
    return [(day_of(start, zone), amount) for start, amount in zip(starts, amounts, strict=True)]


# --- usual days and forecasts


def recent_days(charges: Iterable[Charge], now: datetime, zone: ZoneInfo) -> tuple[list[Micros], Micros]:
    """Return the cost of each of the days before today, oldest first, and the cost of today so far.

    There are at most MEDIAN_OF days. The days before the first charge are left out.

    Args:
        charges: All charges that overlap these days.
    """
    known = list(charges)
    today = day_of(now, zone)
    starts = [at_time(today - n * DAY, 0, zone) for n in range(MEDIAN_OF + 1, -1, -1)]
    *past, so_far = by_day(known, starts)
    if not known:
        return [], so_far
    begun = (today - day_of(min(charge.started_at for charge in known), zone)).days
    return past[len(past) - min(max(begun, 0), MEDIAN_OF) :], so_far


def usual_day(past: Sequence[Micros]) -> Micros | None:
    """Return the median cost of the days before today, or None if there are fewer than LEAST_DAYS.

    Only the most recent MEDIAN_OF days are used.
    """
    if len(past) < LEAST_DAYS:
        return None
    days = sorted(past[-MEDIAN_OF:])
    return (days[(len(days) - 1) // 2] + days[len(days) // 2]) // 2


class Running(NamedTuple):
    """A machine that costs money now."""

    rate: Decimal
    """USD per hour."""
    ends_at: datetime


def forecast(
    *,
    spent: Micros,
    today: Micros,
    past: Sequence[Micros],
    running: Sequence[Running],
    now: datetime,
    end: datetime,
    zone: ZoneInfo,
) -> Micros | None:
    """Return the expected cost of the whole month if spending continues as it does now.

    This is the amount already spent, plus an amount for the rest of today and for each remaining day of the month.
    The amount for a day is the larger of two: the cost of the machines that will be running on that day, and the
    cost of a usual day. For the rest of today, the cost of a usual day is reduced by what today has cost already.

    None if there is too little history for a usual day.

    Args:
        spent: The cost of the month so far.
        today: The cost of today so far.
        past: The cost of each day before today, oldest first.
        end: The end of the month.
    """
    usual = usual_day(past)
    if usual is None:
        return None
    total, begin = spent, now
    for n, following in enumerate([*day_starts(now, end, zone)[1:], end]):
        runs = sum(cost(one.rate, max(min(one.ends_at, following) - begin, timedelta())) for one in running)
        total += max(runs, usual if n else usual - today)
        begin = following
    return total


def is_unusual(today: Micros, past: Sequence[Micros], unusual_from: Decimal) -> bool:
    """Return whether today's cost is unusually high.

    The cost must be more than `unusual_from`, and more than three times the cost of a usual day (UNUSUAL).

    Args:
        past: The cost of each day before today, oldest first.
        unusual_from: In USD.
    """
    usual = usual_day(past)
    return usual is not None and today > UNUSUAL * usual and today > micros(unusual_from)


def dearest(spent: Mapping[K, Spent], most: int) -> list[K]:
    """Return the keys, such as owners or projects, that cost most. The highest cost comes first."""
    return sorted(spent, key=lambda key: (-spent[key].amount, key))[:most]


# --- the week of a digest


class Week(NamedTuple):
    """Seven days of the policy's `timezone`, from midnight to midnight."""

    first: date
    last: date
    start: datetime
    """The first moment of the week, in UTC."""
    end: datetime
    """The first moment after the week, in UTC."""


def newest_digest(now: datetime, rules: Rules) -> datetime | None:
    """Return the most recent time at which the weekly spend message (digest) was due, in UTC.

    None if the policy has no digest.
    """
    if rules.digest is None:
        return None
    weekday, minutes = rules.digest
    zone = ZoneInfo(rules.timezone)
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - weekday) % 7)
    due = at_time(day, minutes, zone)
    return due if due <= now else at_time(day - WEEK, minutes, zone)


def week_of(digest: datetime, rules: Rules) -> Week:
    """Return the week that a digest covers: the seven days before the day of the digest."""
    zone = ZoneInfo(rules.timezone)
    day = digest.astimezone(zone).date()
    return Week(day - WEEK, day - DAY, at_time(day - WEEK, 0, zone), at_time(day, 0, zone))
