"""Messages about money: the weekly digest, alerts about budgets and expensive days, and monthly files."""

from __future__ import annotations

from calendar import month_abbr
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from bot.model.budget import MonthPart, ScopeKind
from bot.model.event import EventKind
from bot.model.facts import BudgetAlertFacts, DearRental, DigestFacts, UnusualDayFacts
from bot.model.money import in_cents
from bot.model.spend import Digest, Spent
from bot.model.text import listed, plural
from bot.policy.buying.budgets import say_month, split_budget
from bot.policy.buying.focus import MonthFile
from bot.policy.team.rules import WhenOver
from handlers.messages.writers import AlertContext, Needs, alert
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.budget_text import invoice_differences, month_name, scope_name, used_up_text
from handlers.phrases.format import about_dollars, dollars, escape, identifier, join, per_hour, percent, person
from handlers.phrases.lease_buttons import show_button
from handlers.phrases.rental_text import machines

MOST_PROJECTS = 10


@alert(EventKind.DIGEST)
def _digest(context: AlertContext[DigestFacts]) -> Rendered:
    """Render the totals of a week, followed by a line for each project if there are several.

    The amounts of the projects add up to the total of the week.
    """
    week = context.facts.digest
    amounts = in_cents([one.spent.amount for one in week.projects])
    first = f"Last week ({_days(week.first, week.last)}) the team spent {_spent(week.spent)}."
    forecast = ""
    if week.forecast is not None:
        forecast = f"At this rate, {say_month(week.month)} will cost about {about_dollars(week.forecast)}."
    lines = [join(first, _running(week), forecast)]
    if len(week.projects) > 1:
        lines += [
            f"{escape(one.project, 40)}: {dollars(amount)} for {plural(one.spent.rentals, 'rental')}"
            + (
                f", {percent(one.spent.use.idle, one.spent.amount)} of it on idle machines"
                if one.spent.use.idle
                else ""
            )
            + (f"; {_machines_run(one.running, one.rate)}" if one.running else "")
            + (f"; {_not_confirmed(one.not_confirmed)}" if one.not_confirmed else "")
            for one, amount in list(zip(week.projects, amounts, strict=True))[:MOST_PROJECTS]
        ]
    more = len(week.projects) - MOST_PROJECTS
    lines += [f"{plural(more, 'more project')}: /gpu spend shows all."] if more > 0 else []
    return blocks.message("\n".join(lines))


def _days(first: date, last: date) -> str:
    """Return a period such as `16 to 22 Nov` or `30 Nov to 6 Dec`."""
    begin = f"{first.day}" if first.month == last.month else f"{first.day} {month_abbr[first.month]}"
    return f"{begin} to {last.day} {month_abbr[last.month]}"


def _spent(spent: Spent) -> str:
    """Return an amount such as `$1,940.12 on 61 rentals, of which $212.70 (11%) was idle`."""
    idle = spent.use.idle
    share = f", of which {dollars(idle)} ({percent(idle, spent.amount)}) was idle" if idle else ""
    return f"{dollars(spent.amount)} on {plural(spent.rentals, 'rental')}{share}"


def _running(week: Digest) -> str:
    """Return sentences about the running machines, and about the deletions that vendors haven't confirmed.

    An example is `5 machines are running now, at $31.20/h. 1 deletion isn't confirmed yet.`
    """
    running = f"{_machines_run(week.running, week.rate)}." if week.running else "No machine is running now."
    return join(running, f"{_not_confirmed(week.not_confirmed)}." if week.not_confirmed else "")


def _machines_run(count: int, rate: Decimal) -> str:
    return f"{plural(count, 'machine is', 'machines are')} running now, at {per_hour(rate)}"


def _not_confirmed(count: int) -> str:
    return plural(count, "deletion isn't confirmed yet", "deletions aren't confirmed yet")


# --- alerts about the month and the day


@alert(EventKind.BUDGET_ALERT, needs=Needs.USED_UP, names=lambda event: [event.facts.balance.scope.name])
def _budget_alert(context: AlertContext[BudgetAlertFacts]) -> Rendered:
    """Render the alert that a large part of a budget is spent or reserved, and what happens next.

    The alert contains the current share, such as 85%, and not the threshold that caused the alert, such as 80%.
    """
    balance, budget = context.facts.balance, context.facts.total
    spent, reserved, _ = split_budget(balance, budget)
    who, its = (
        scope_name(balance.scope, context.names),
        "their" if balance.scope.kind is ScopeKind.PERSON else "its",
    )
    share = percent(balance.spent + balance.reserved, budget)
    reached = (
        f"{who} has spent or reserved {share} of {its} {dollars(budget)} budget for {say_month(balance.month)}"
    )
    parts = f"{dollars(spent)} is spent, and running machines can cost {dollars(reserved)} more"
    refuse = context.reader.rules.budgets.over is WhenOver.REFUSE
    full = balance.spent + balance.reserved >= budget
    for_whom = "" if balance.scope.kind is ScopeKind.TEAM else f" for {who}"
    then = f"nothing more can be rented{for_whom}" if refuse else f"every new rental{for_whom} needs approval"
    when = "From now on," if full else "At 100%,"
    used_up = used_up_text({"the budget": context.used_up_at}, context.times)
    return blocks.message(join(f"{reached}: {parts}.", used_up, f"Nothing is stopped. {when} {then}."))


@alert(EventKind.UNUSUAL_DAY, names=lambda event: [one.owner for one in event.facts.dearest])
def _unusual_day(context: AlertContext[UnusualDayFacts]) -> Rendered:
    """Render the alert that today is unusually expensive. Each of its buttons shows an expensive rental."""
    facts, dearest = context.facts, context.facts.dearest
    rentals = dict.fromkeys(one.rental_id for one in dearest)
    what = "; ".join(_dear([one for one in dearest if one.rental_id == each], context.names) for each in rentals)
    so_far, usual = dollars(facts.amount), dollars(facts.estimate)
    text = join(
        f"Today is unusually expensive: {so_far} so far, against {usual} on a usual day.",
        f"Most of it: {what}." if what else "",
    )
    return blocks.with_buttons(text, *map(show_button, rentals))


def _dear(parts: Sequence[DearRental], names: Mapping[str, str]) -> str:
    """Return a line about an expensive rental and its cost: `4x H100 SXM 80 GB (c4hpz), $220.80 for Ana`.

    Events from earlier releases contain less data. For them, the line contains only the ID of the rental.
    """
    one, rental_id = parts[0], identifier(parts[0].rental_id, 20)
    name = f"{machines(one.count, one.gpu)} ({rental_id})" if one.gpu else rental_id
    if len(parts) == 1:
        return f"{name}, {dollars(one.amount)} for {person(names, one.owner)}"
    owners = listed([f"{dollars(each.amount)} while {person(names, each.owner)} owned it" for each in parts])
    return f"{name}, {owners}"


# --- the file of a month


def month_file_text(file: MonthFile, reader: str) -> str:
    """Return the message that accompanies a monthly file (a CSV with the month's costs)."""
    part = file.part
    whose = (
        "Everyone's costs"
        if file.owner is None
        else "Your costs"
        if file.owner == reader
        else "One person's costs"
    )
    if part.project is not None:
        whose = f"{'Your costs' if file.owner == reader else 'Costs'} of project {escape(part.project)}"
    rentals = plural(file.rental_count, "rental")
    begin = f"{whose} in {month_name(part.month)}: {dollars(file.amount)} for {rentals}."
    return join(begin, _completeness(file), invoice_differences(file.estimated, file.unmanaged_count))


def _completeness(file: MonthFile) -> str:
    if file.complete is not None:
        return "The month is complete, so this file won't change. Costs found later are in a later month's file."
    if file.running_count:
        are = plural(file.running_count, "machine is", "machines are")
        return f"The month isn't complete: {are} still running, and counted up to now."
    return "The month isn't complete yet."


def file_on_its_way(part: MonthPart) -> Rendered:
    return blocks.message(f"I'll send you the file for {month_name(part.month)} in a direct message.")


def no_file(file: MonthFile, reader: str) -> Rendered:
    """Render the message that replaces a file if the Slack app has no permission to send files."""
    reason = (
        "I can't send the file, because my Slack app lacks the scope files:write. "
        "An admin can add it: gpubot doctor says how."
    )
    return blocks.message(f"{month_file_text(file, reader)} {reason}")
