"""Writes the files of `gpubot export`: a month's charges for finance, and events for auditors."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from bot.clock import Clock
from bot.config.settings import Settings
from bot.errors import Mistake, Unusable
from bot.lifecycle.money.month_files import month_file
from bot.model.budget import TEAM, MonthPart, Scope, ScopeKind
from bot.model.event import Event
from bot.model.text import say_dollars
from bot.net.sandbox_clock import clock_of
from bot.net.sessions import new_session
from bot.policy.buying.focus import MonthFile
from bot.policy.buying.months import month_of
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Rules
from store.db import Tx, reading

_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
PAGE = 1000
"""The maximum number of events that one query returns."""


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Tx, Rules, Clock]]:
    """Open a consistent snapshot of the database, even while a bot is using it, and read the rules in force.

    Raises WrongPolicy if there are no valid rules.
    """
    source = PolicySource(path=settings.policy, home_channel=settings.channel, admins=settings.admin_ids)
    async with new_session() as session:
        clock = await clock_of(settings.clock_url, session)
        async with reading(settings.database_url.get_secret_value(), "gpubot export", clock) as tx:
            stored = await tx.policies.newest()
            rules = source.read().rules if stored is None else source.rules_in(stored.file)
            yield tx, rules, clock


# --- a month's charges


async def export_month(settings: Settings, month: str, project: str | None, folder: Path) -> MonthFile:
    """Write a month's charges to a CSV file for finance, and return the file's content.

    If a project is given, the file contains only the charges of this project.

    An existing file of the same name is overwritten.

    Raises:
        Mistake: There is no such month or project.
        Unusable: The file can't be written.
        CannotOpen: The database can't be read.
        StoreBusy: The database doesn't respond.
    """
    if not _MONTH.fullmatch(month):
        raise Mistake("--month: write a year and a month, such as 2026-10.")
    scope = TEAM if project is None else Scope(kind=ScopeKind.PROJECT, name=project)
    async with _opened(settings) as (tx, rules, clock):
        if month > (newest := month_of(clock.now(), rules.billing_zone)):
            raise Mistake(f"--month: {month} has not begun. The newest month is {newest}.")
        file = await month_file(tx, rules, clock.now(), MonthPart(month=month, scope=scope))
        if project is not None and project not in rules.projects and not file.rows:
            known = ", ".join(sorted(rules.projects)) or "none"
            raise Mistake(
                f"--project: nothing was charged to {project} in {month}. Projects of the policy: {known}."
            )
    path = folder / file.name
    try:
        path.write_text(file.written(), encoding="utf-8", newline="")
    except OSError as error:
        raise Unusable(f"I can't write {path}: {error.strerror}.") from error
    return file


def month_written(file: MonthFile) -> str:
    """Return a line that tells the operator which file was written, and how much it contains."""
    state = "" if file.complete is not None else " The month is not complete."
    return f"{file.name}: {say_dollars(file.amount)} in {len(file.rows)} rows.{state}"


# --- events


async def export_events(settings: Settings, first: str, last: str, out: TextIO) -> None:
    """Write the events of a range of days as lines of JSON, oldest first.

    Args:
        settings: The settings of `gpubot run`.
        first: The first day of the range, such as `2026-11-30`, in the time zone in which machines are invoiced.
        last: The last day of the range, in the same format. Its events are included.
        out: The stream to write to.

    Raises:
        Mistake: `first` or `last` isn't a valid day.
        CannotOpen: The database can't be read.
        StoreBusy: The database doesn't respond.
    """
    days = _day("--from", first), _day("--to", last)
    async with _opened(settings) as (tx, rules, _):
        since, until = _midnight(days[0], rules.billing_zone), _midnight(days[1] + _DAY, rules.billing_zone)
        lines: list[str] = []
        newest = 0
        while page := await tx.events.between(since, until, after=newest, limit=PAGE):
            lines += [event_line(event) + "\n" for event in page]
            newest = page[-1].id
    out.writelines(lines)


def event_line(event: Event) -> str:
    """Return an event as JSON on one line, with its actor, time and facts.

    Amounts are integers in micro-dollars. Prices are in USD per hour, as strings such as `"2.42"`, so that they
    stay exact. Durations are in ISO 8601 format.
    """
    line: dict[str, Any] = event.model_dump(mode="json", exclude={"facts"})
    line["facts"] = event.facts.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(line)


_DAY = timedelta(days=1)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Mistake(f"{option}: write a day, such as 2026-11-30.") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
