"""What charges sum to in some days, what a month will cost at this rate, whether a day is unusually dear, and
which days a digest is about.

Days are those of the policy's `billing.timezone`; for a digest, those of its `timezone`. A charge is spread evenly
over its time.
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
"""By what charges are summed up: an id or a name, or two of them."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)
MEDIAN_OF = 14
"""The usual day is the median of so many days before today."""
LEAST_DAYS = 5
"""Without so many days of history, there is no usual day."""
UNUSUAL = 3
"""A day is unusual if it costs more than so many usual days."""
MOST_DAYS = 20
"""A chart of more days has a point for each week instead."""
MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")

# --- periods


def is_period(words: str) -> bool:
    """Return whether these words name a period: `today`, `week`, `month`, `last month`, `2026-10` or `october`."""
    return words in {*PeriodKind, "last month", *MONTH_NAMES} or _MONTH.fullmatch(words) is not None


def period_of(words: str, now: datetime, zone: ZoneInfo) -> Period:
    """Return the period that words name. A month without a year is the last one of that name. Raise Mistake for a
    month that has not begun, and ValueError for words of which `is_period` is not true.
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
    """Return the month before this one."""
    return _month_of_words("last month", month)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day of `zone` in which a moment lies."""
    return moment.astimezone(zone).date()


def day_starts(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the first moment of each day of `zone` from the day of `start` on, before `end`."""
    first, last = day_of(start, zone), day_of(max(start, end - MICROSECOND), zone)
    return [at_time(first + n * DAY, 0, zone) for n in range((last - first).days + 1)]


# --- sums


class _Sum:
    """A sum that grows charge by charge. A model that is copied at each step would take most of the time."""

    def __init__(self) -> None:
        self.rentals: set[str] = set()
        self.gpu_time = timedelta()
        self.used = self.connected = self.idle = self.unknown = self.late = self.estimated = 0

    def add(self, charge: Charge) -> None:
        self._add(charge, charge.ended_at - charge.started_at, lambda amount: amount)

    def add_part(self, charge: Charge, start: datetime, end: datetime) -> None:
        """Add the part of a charge that fell into the time from `start` up to `end`."""
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
    """Return what each key was charged in a period.

    A month has the whole of its charges, corrections of earlier months included, as its file has. Days and weeks
    have what fell into them.
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
    """Return what was charged in a period in all."""
    return in_period(charges, period, lambda _: "").get("", Spent())


def by_day(charges: Iterable[Charge], starts: Sequence[datetime]) -> list[Micros]:
    """Return what each day cost. `starts` are the first moments of the days, at least one.

    What was charged for earlier time, as corrections are, counts for the first day, and for later time, for the
    last. So the days sum to the charges.
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
    """Return the points of a chart: each day, or each week from Monday on if there are too many days."""
    if len(days) <= MOST_DAYS:
        return tuple(SpendPoint(first=day, last=day, amount=amount) for day, amount in days)
    weeks = [list(week) for _, week in groupby(days, key=lambda day: day[0].isocalendar()[:2])]
    return tuple(
        SpendPoint(first=week[0][0], last=week[-1][0], amount=sum(amount for _, amount in week)) for week in weeks
    )


def days_of(charges: Iterable[Charge], period: Period, now: datetime, zone: ZoneInfo) -> list[tuple[date, Micros]]:
    """Return each day of a period up to now, with what it cost. The days sum to the period."""
    starts = day_starts(period.start, min(now + MICROSECOND, period.end), zone)
    if period.kind is PeriodKind.MONTH:
        amounts = by_day([charge for charge in charges if charge.month == period.month], starts)
    else:
        amounts = by_day(charges, [starts[0] - DAY, *starts])[1:]
    return [(day_of(start, zone), amount) for start, amount in zip(starts, amounts, strict=True)]


# --- what is usual


def recent_days(charges: Iterable[Charge], now: datetime, zone: ZoneInfo) -> tuple[list[Micros], Micros]:
    """Return what the days before today cost, up to 14 and since the first charge, oldest first, and what today
    costs so far. `charges` have all that fell into these days.
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
    """Return the median of days, which are those before today, up to 14. Return None for fewer than five."""
    if len(past) < LEAST_DAYS:
        return None
    days = sorted(past[-MEDIAN_OF:])
    return (days[(len(days) - 1) // 2] + days[len(days) // 2]) // 2


class Running(NamedTuple):
    """A machine that bills now."""

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
    """Return what a month costs in all at this rate, if `end` is its end. Return None with too little history.

    It is what is `spent`, and for each day that remains, the rest of today included, what runs then or a usual
    day, whichever is more. Of a usual day, `today` has already spent a part. `past` are the days before today.
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
    """Return whether today costs more than three usual days, and more than `unusual_from` US dollars. `past` are
    the days before today.
    """
    usual = usual_day(past)
    return usual is not None and today > UNUSUAL * usual and today > micros(unusual_from)


def dearest(spent: Mapping[K, Spent], most: int) -> list[K]:
    """Return the keys that cost most, the dearest first."""
    return sorted(spent, key=lambda key: (-spent[key].amount, key))[:most]


# --- the week of a digest


class Week(NamedTuple):
    """Seven days of the policy's `timezone`, from midnight to midnight."""

    first: date
    last: date
    start: datetime
    """The first moment, in UTC."""
    end: datetime
    """The first moment after it, in UTC."""


def newest_digest(now: datetime, rules: Rules) -> datetime | None:
    """Return the last moment up to now at which a digest was due, in UTC. Return None if the policy has none."""
    if rules.digest is None:
        return None
    weekday, minutes = rules.digest
    zone = ZoneInfo(rules.timezone)
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - weekday) % 7)
    due = at_time(day, minutes, zone)
    return due if due <= now else at_time(day - WEEK, minutes, zone)


def week_of(digest: datetime, rules: Rules) -> Week:
    """Return the week that a digest is about: the seven days before its own day."""
    zone = ZoneInfo(rules.timezone)
    day = digest.astimezone(zone).date()
    return Week(day - WEEK, day - DAY, at_time(day - WEEK, 0, zone), at_time(day, 0, zone))
