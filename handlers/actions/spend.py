"""Reports of spending: `/gpu spend`, its buttons, and the CSV file with a month's spending."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from bot.lifecycle.actions import spend as service
from bot.lifecycle.actions.spend import ask_for_file
from bot.model.budget import MonthPart, Scope, ScopeKind
from bot.model.message import to_person
from bot.model.money import Micros, in_cents
from bot.model.person import OPERATOR
from bot.model.spend import OwnerMonth, PeriodKind, RowsOf, SpendPoint, SpendReport, SpendRow, Spent
from bot.model.text import plural
from bot.policy.buying.budgets import say_month
from bot.policy.buying.charges import MICROSECOND
from bot.policy.buying.spend import day_of, month_before
from bot.policy.team.roles import may_use
from handlers.actions.calling import on, shows
from handlers.ids import Action, SpendRowsValue, SpendValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages import replies
from handlers.messages.money import file_on_its_way
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.budget_text import estimated_text, invoice_differences, used_up_text
from handlers.phrases.format import (
    Reader,
    about_dollars,
    as_written,
    clean,
    dollars,
    escape,
    join,
    join_lines,
    literal,
    percent,
)
from handlers.phrases.rental_text import describe
from handlers.phrases.tables import bar_chart, drawn_dollars, lines_of, number_cell, table, text_cell
from handlers.phrases.use_text import use_in_cents
from handlers.typed import commands


async def ask(context: Context, interaction: UserInteraction, command: commands.Spend) -> Outcome:
    """Reply with the amount spent by a person, a project or the team."""
    name = interaction.person.id if command.kind is ScopeKind.PERSON else command.project
    return await _report(context, interaction, Scope(kind=command.kind, name=name), command.period)


async def show(context: Context, interaction: UserInteraction, value: SpendRowsValue) -> Outcome:
    """Reply with a report for another period, or switch the rows of the report between people and projects.

    The reply replaces the report whose button was clicked.
    """
    return await _report(context, interaction, value.scope, value.period, value.rows)


async def _report(
    context: Context, interaction: UserInteraction, scope: Scope, period: str, rows: RowsOf | None = None
) -> Outcome:
    person = interaction.person
    found = await service.report(context.deps, person, scope, period, rows)
    # People in finance may read the spending, even if the policy doesn't let them use the bot. The report must not
    # appear in a channel in this case, so send it as a direct message.
    to = interaction.reply_to if may_use(person, context.deps.rules) else to_person(person.id)
    return Reply(content=report(found, context.reader(person)), replaces_original=True, to=to)


_FIRST = {RowsOf.PEOPLE: "Person", RowsOf.PROJECTS: "Project", RowsOf.RENTALS: "Rental"}
_HOUR = timedelta(hours=1)


def report(shown: SpendReport, reader: Reader) -> Rendered:
    """Return a report of spending as a message."""
    text = join(_summary(shown, reader), _forecast(shown, reader))
    return blocks.message(
        text,
        blocks.section(text),
        _table(shown),
        _chart(shown),
        blocks.context(_notes(shown)),
        _buttons(shown),
        closed=False,
    )


def report_text(shown: SpendReport, reader: Reader) -> str:
    """Return a report of spending as plain text: the summary, the table and the notes."""
    rows = _table(shown)
    lines = [] if rows is None else map(literal, lines_of(rows))
    return join_lines(join(_summary(shown, reader), _forecast(shown, reader)), *lines, _notes(shown))


def of_owner(shown: OwnerMonth) -> Rendered:
    """Return a text with the money that the owner of a rental has spent this month.

    The text also says how much of this was spent on idle machines. Approvers can read this text before they
    approve or deny a request of the owner.
    """
    name, month, spent = as_written(escape(shown.name, 40)), say_month(shown.month), shown.spent
    if not spent.amount:
        return replies.reply(f"{name} has spent nothing in {month} so far.")
    idle = f"{dollars(spent.use.idle)} of it" if spent.use.idle else "none of it"
    seen = f"{idle} on idle machines" if spent.use.known else "but I couldn't monitor the machines"
    text = f"{name} has spent {dollars(spent.amount)} in {month} so far, {seen}."
    scope = Scope(kind=ScopeKind.PERSON, name=shown.owner)
    by_rental = button(
        "By rental", Action.SHOW_SPEND, SpendRowsValue(period=shown.month, scope=scope, rows=RowsOf.RENTALS)
    )
    return replies.reply(text, by_rental)


# --- the summary and the notes


def _summary(shown: SpendReport, reader: Reader) -> str:
    """Return the summary of a report.

    For example `November so far: you've spent $212.40, $31.20 of it on idle machines. The team has spent $4,310.11
    of $9,000.00.`
    """
    when, running = _when(shown, reader), shown.period.running
    has, you = ("has spent", "you've spent") if running else ("spent", "you spent")
    whole = dollars(shown.whole.amount) + _of(shown.budget)
    rentals = f" on {plural(shown.whole.rentals, 'rental')}" if shown.whole.rentals else ""
    match shown.scope.kind:
        case ScopeKind.TEAM if reader.id == OPERATOR.id:
            return f"{when}: the team {has} {whole}."
        case ScopeKind.TEAM:
            return f"{when}: {you} {_spent(shown.own)}{_budget(shown.own_budget)}. The team {has} {whole}."
        case ScopeKind.PROJECT:
            own = f" {you[:1].upper()}{you[1:]} {_spent(shown.own)}." if shown.own.amount else ""
            idle = f" ({_idle_of_whole(shown)})" if shown.whole.use.idle else ""
            whole = dollars(shown.whole.amount) + idle + _of(shown.budget)
            return f'{when}: project "{escape(shown.scope.name, 40)}" {has} {whole}.{own}'
        case ScopeKind.PERSON if shown.scope.name == reader.id:
            whole = join(
                f"{dollars(shown.whole.amount)}{rentals}" if rentals else "nothing", _idle_of_whole(shown), by=", "
            )
            return f"{when}: {you} {whole}{_budget(shown.budget)}."
        case ScopeKind.PERSON:
            return f"{when}: this person {has} {dollars(shown.whole.amount)}{rentals}."


def _when(shown: SpendReport, reader: Reader) -> str:
    period = shown.period
    if period.kind is PeriodKind.TODAY:
        return "Today so far"
    if period.kind is PeriodKind.WEEK:
        return "This week so far"
    now = reader.now.astimezone(reader.rules.billing_zone)
    year, name = int(period.month[:4]), say_month(period.month)
    return f"{name} so far" if period.running else name if year == now.year else f"{name} {year}"


def _spent(spent: Spent) -> str:
    if not spent.amount:
        return "nothing"
    idle = f", {dollars(spent.use.idle)} of it on idle machines" if spent.use.idle else ""
    return f"{dollars(spent.amount)}{idle}"


def _idle_of_whole(shown: SpendReport) -> str:
    """Return a text such as `$31.20 of it on idle machines`. Empty if nothing was idle.

    If the report has a table with a column for idle machines, return a percentage instead: `12% of it on idle
    machines`. The amounts in the table are rounded, so an exact amount in the text could differ from them by some
    cents.
    """
    idle, amount = shown.whole.use.idle, shown.whole.amount
    if not idle:
        return ""
    return f"{percent(idle, amount) if shown.sees_use and shown.rows else dollars(idle)} of it on idle machines"


def _of(budget: Micros | None) -> str:
    return "" if budget is None else f" of {dollars(budget)}"


def _budget(budget: Micros | None) -> str:
    return "" if budget is None else f" (your budget is {dollars(budget)})"


def _forecast(shown: SpendReport, reader: Reader) -> str:
    """Return a sentence such as `At this rate, the team will have spent about $9,120 by the 30th`.

    If a budget in the report will be used up this month, the sentence is about the budget instead: `At today's
    rate, your budget will be used up on Nov 24`.

    Empty if there is no forecast.
    """
    match shown.scope.kind:
        case ScopeKind.TEAM:
            who, whose = "the team", "the team's budget"
        case ScopeKind.PROJECT:
            who, whose = "the project", "the project's budget"
        case ScopeKind.PERSON if shown.scope.name == reader.id:
            who, whose = "you", "your budget"
        case ScopeKind.PERSON:
            who, whose = "they", "their budget"
    used_up = used_up_text({"your budget": shown.own_used_up_at, whose: shown.used_up_at}, reader.times)
    if used_up or shown.forecast is None:
        return used_up
    last = day_of(shown.period.end - MICROSECOND, reader.rules.billing_zone).day
    day = f"{last}{'st' if last == 31 else 'th'}"
    return f"At this rate, {who} will have spent about {about_dollars(shown.forecast)} by the {day}."


def _notes(shown: SpendReport) -> str:
    """Return the notes below a report.

    They say how many rows are combined in the last row of the table, and why the invoice can differ. If a vendor
    charged for a machine after the bot had requested the machine's deletion, the notes also give that amount.
    """
    late, estimated = shown.whole.late, shown.whole.estimated
    differences = estimated_text(estimated)
    if shown.scope.kind is ScopeKind.TEAM and shown.period.kind is PeriodKind.MONTH:
        differences = invoice_differences(estimated, shown.unmanaged_count)
    parts = [
        f"The last row is the sum of {plural(shown.left_out, 'more row')}." if shown.left_out else "",
        f"{dollars(late)} was billed for machines after I had requested their deletion." if late else "",
        differences,
    ]
    return join(*parts)


# --- the table and the chart


def _table(shown: SpendReport) -> Json | None:
    columns = [_FIRST[shown.rows_of], *([] if shown.rows_of is RowsOf.RENTALS else ["Rentals"]), "GPU hours"]
    if shown.sees_use:
        columns += ["In use", "Connected but idle", "Idle", "Not monitored"]
    named = [(_name(row, shown), row.spent) for row in shown.rows]
    if shown.rest is not None:
        named.append((f"{shown.left_out} more", shown.rest))
    amounts = in_cents([spent.amount for _, spent in named])
    rows = [_row(name, spent, amount, shown) for (name, spent), amount in zip(named, amounts, strict=True)]
    return table(f"Spend by {_FIRST[shown.rows_of].lower()}", [*columns, "Total"], rows)


def _row(name: str, spent: Spent, amount: Micros, shown: SpendReport) -> list[Json]:
    """Return a row of the table.

    `amount` is the row's total in whole cents. The amounts for idle time, use and so on are rounded so that they
    add up to this total.
    """
    hours = float(round(Fraction(spent.gpu_time // MICROSECOND, _HOUR // MICROSECOND), 1))
    count = [] if shown.rows_of is RowsOf.RENTALS else [number_cell(spent.rentals, str(spent.rentals))]
    use = use_in_cents(spent.use, amount)
    parts = [use.used, use.connected, use.idle, use.unknown] if shown.sees_use else []
    return [
        text_cell(name),
        *count,
        number_cell(hours, f"{hours:,.1f}"),
        *map(_money, (*parts, amount)),
    ]


def _money(amount: Micros) -> Json:
    return number_cell(drawn_dollars(amount), blocks.plain(dollars(amount), 30)["text"])


def _name(row: SpendRow, shown: SpendReport) -> str:
    if shown.rows_of is RowsOf.PEOPLE:
        return clean(shown.names.get(row.key, ""), 40) or row.key
    rental = shown.rentals.get(row.key)
    return row.key if rental is None else f"{row.key}, {describe(rental)}"


def _chart(shown: SpendReport) -> Json | None:
    by = "week" if any(point.first != point.last for point in shown.points) else "day"
    amounts = in_cents([point.amount for point in shown.points])
    return bar_chart(f"Spend by {by}, in USD", "Total", list(zip(map(_label, shown.points), amounts, strict=True)))


def _label(point: SpendPoint) -> str:
    """Return the label of a bar in the chart: `28 Nov` for a day, or `23 to 28 Nov` for a week."""
    if point.first == point.last:
        return _day(point.first)
    first = f"{point.first.day}" if point.first.month == point.last.month else _day(point.first)
    return f"{first} to {_day(point.last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


# --- buttons


def _buttons(shown: SpendReport) -> Json | None:
    scope, period = shown.scope, shown.period
    other = RowsOf.PROJECTS if shown.rows_of is RowsOf.PEOPLE else RowsOf.PEOPLE
    before = month_before(period.month)
    rows = None
    if shown.chooses_rows:
        label = "Projects" if other is RowsOf.PROJECTS else "People"
        rows = button(label, Action.SHOW_SPEND, SpendRowsValue(period=period.words, scope=scope, rows=other))
    return blocks.actions(
        rows,
        button(
            say_month(before), Action.SHOW_SPEND, SpendRowsValue(period=before, scope=scope, rows=shown.rows_of)
        ),
        button("CSV", Action.SPEND_CSV, SpendValue(month=period.month, scope=shown.file)),
    )


async def send_file(context: Context, interaction: UserInteraction, value: SpendValue) -> Outcome:
    """Start sending a CSV file with a month's spending to the person's direct messages.

    The button's value says whose spending the file contains. People who aren't allowed to see other people's
    spending only get a button for their own.
    """
    part = MonthPart(month=value.month, scope=value.scope)
    await ask_for_file(context.deps, interaction.person, part)
    return Reply(content=file_on_its_way(part))


ON = (
    on(Action.SHOW_SPEND, show),
    on(Action.SPEND_CSV, send_file),
    on(Action.OWNER_SPEND, shows(service.month_of_owner, lambda month, _: of_owner(month))),
)
