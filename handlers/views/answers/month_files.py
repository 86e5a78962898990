"""What is said beside a file of charges, and if it can't be sent."""

from __future__ import annotations

from bot.model.budget import Month, MonthPart
from bot.model.money import Micros
from bot.model.text import listed, plural
from bot.policy.buying.budgets import say_month
from bot.policy.buying.focus import MonthFile
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import dollars, escape, join


def month_name(month: Month) -> str:
    """Return a month in words: `November 2026`."""
    return f"{say_month(month)} {month[:4]}"


def month_file_words(file: MonthFile, reader: str) -> str:
    """Return the words beside a file, for the person who gets it."""
    part = file.part
    whose = "everyone" if file.owner is None else "you" if file.owner == reader else "one person"
    if part.project is not None:
        project = escape(part.project)
        whose = f"you in {project}" if file.owner == reader else project
    rentals = plural(file.rental_count, "rental")
    begin = f"{month_name(part.month)}, {whose}: {dollars(file.amount)} for {rentals}."
    return join(begin, _state(file), invoice_differences(file.estimated, file.unknown_count))


def _state(file: MonthFile) -> str:
    if file.complete is not None:
        return "The month is complete: this file never changes. What is found later is in a later month's file."
    if file.running_count:
        run = plural(file.running_count, "machine still runs", "machines still run")
        return f"Not complete: {run}, counted up to now."
    return "Not complete yet."


def invoice_differences(estimated: Micros, unknown_count: int) -> str:
    """Return by what the invoice may differ from a report or file in which this much is `estimated`, while
    `unknown_count` machines run that no rental has."""
    parts = []
    if estimated:
        parts.append(f"what is estimated ({dollars(estimated)})")
    running = f" ({plural(unknown_count, 'runs', 'run')} now)" if unknown_count else ""
    parts += [f"machines not rented through me{running}", "tax"]
    return f"The invoice may differ by {listed(parts)}."


def file_on_its_way(part: MonthPart) -> Rendered:
    """Return the answer to a click that asks for a file."""
    return blocks.message(f"The file of {month_name(part.month)} comes in our direct messages.")


def no_file(file: MonthFile, reader: str) -> Rendered:
    """Return the message in the place of a file that the Slack app may not send."""
    words = "I can't send its file: my Slack app lacks the scope files:write. An admin can add it: gpubot doctor."
    return blocks.message(f"{month_file_words(file, reader)} {words}")
