"""The week's spend for the home channel."""

from __future__ import annotations

from calendar import month_abbr
from datetime import date

from bot.model.money import in_cents
from bot.model.spend import Digest, ProjectWeek, Spent
from bot.model.text import plural
from bot.policy.buying.budgets import say_month
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import about_dollars, dollars, escape, join, per_hour, percent

MOST_PROJECTS = 10


def digest(week: Digest) -> Rendered:
    """Return the message: the sums first, then a line for each project if there are several. The amounts of the
    projects add up to the first one."""
    amounts = in_cents([one.spent.amount for one in week.projects])
    first = f"Last week ({_days(week.first, week.last)}): {_spent(week.spent)}."
    words = [join(first, f"Now: {_running(week)}.", _forecast(week))]
    if len(week.projects) > 1:
        words += [
            f"{escape(one.project, 40)}: {dollars(amount)} for {plural(one.spent.rentals, 'rental')}"
            f"{_idle_share(one.spent)}; now {_running(one)}"
            for one, amount in list(zip(week.projects, amounts, strict=True))[:MOST_PROJECTS]
        ]
    more = len(week.projects) - MOST_PROJECTS
    words += [f"{plural(more, 'more project')}: /gpu spend"] if more > 0 else []
    return blocks.message("\n".join(words))


def _days(first: date, last: date) -> str:
    """Return `16 to 22 Nov`, or `30 Nov to 6 Dec`."""
    begin = f"{first.day}" if first.month == last.month else f"{first.day} {month_abbr[first.month]}"
    return f"{begin} to {last.day} {month_abbr[last.month]}"


def _spent(spent: Spent) -> str:
    """Return `$1,940.12 for 61 rentals; idle $212.70 (11%)`."""
    idle = f"; idle {dollars(spent.use.idle)} ({percent(spent.use.idle, spent.amount)})" if spent.use.idle else ""
    return f"{dollars(spent.amount)} for {plural(spent.rentals, 'rental')}{idle}"


def _idle_share(spent: Spent) -> str:
    return f", {percent(spent.use.idle, spent.amount)} idle" if spent.use.idle else ""


def _running(one: Digest | ProjectWeek) -> str:
    """Return `3 machines, $20.10/h`, then `; 1 not confirmed` for machines whose deletion isn't confirmed yet."""
    runs = f"{plural(one.running, 'machine')}, {per_hour(one.rate)}" if one.running else "no machine"
    return f"{runs}; {one.not_confirmed} not confirmed" if one.not_confirmed else runs


def _forecast(week: Digest) -> str:
    """Return `At this rate November comes to about $2,940.`"""
    if week.forecast is None:
        return ""
    return f"At this rate {say_month(week.month)} comes to about {about_dollars(week.forecast)}."
