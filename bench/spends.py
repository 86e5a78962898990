"""Measures the CPU time of the reply to `/gpu spend` with a long ledger.

The baseline is a ledger that contains only the current month.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure, figure
from bench.history import fill
from bench.sizes import Size
from bench.timing import compare
from bot.clock import MovedClock
from bot.lifecycle.actions import spend as service
from bot.lifecycle.deps import Deps
from bot.model.budget import TEAM
from bot.model.person import Person
from bot.model.spend import PeriodKind
from bot.policy.team.rules import Rules
from handlers.actions.spend import report
from handlers.phrases.format import Reader
from store.db import Database

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADMIN = Person(id="U0ADMIN00", name="Cleo")
RULES = Rules(admins=(ADMIN.id,))
OLDER_MONTHS = 99
_SPREAD = """
UPDATE charges SET
    month = CASE WHEN rowid <= :charged THEN '2026-11' ELSE printf('19%02d-12', rowid % :months) END,
    owner = 'U0P' || (rowid % 40),
    project = 'p' || (rowid % 7),
    started_at = printf('2026-11-%02d 20:00:00.000000', 1 + rowid % 18),
    ended_at = printf('2026-11-%02d 02:00:00.000000', 2 + rowid % 18)
"""
"""A statement that spreads the charges over months, owners and projects.

Each charge of the current month spans midnight, so that it has to be split for the chart.
"""


async def measure(size: Size, folder: Path) -> Figure:
    """Measure `spend_query`: the CPU milliseconds of each reply, which lists the people of the team."""
    long, short = folder / "long.sqlite", folder / "short.sqlite"
    for file, count in ((long, size.finished), (short, size.charged)):
        await fill(file, MovedClock(NOON), count)
        await asyncio.to_thread(_spread, file, size.charged)
    async with _reporter(long) as report_long, _reporter(short) as report_short:
        took = await compare([report_long, report_short], size.spends)
    return figure("spend_query", took[0], "ms", took[1])


def _spread(file: Path, charged: int) -> None:
    """Distribute `charged` charges over the days of the current month and several people.

    All other charges are moved to earlier months.
    """
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(_SPREAD, {"charged": charged, "months": OLDER_MONTHS})
        connection.execute("ANALYZE")


@asynccontextmanager
async def _reporter(file: Path) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    clock = MovedClock(NOON)
    store = await Database.open(f"sqlite:///{file}", claimant="bench", clock=clock)
    deps = Deps(store, clock, RULES)

    async def reply() -> None:
        found = await service.report(deps, ADMIN, TEAM, PeriodKind.MONTH)
        answer = report(found, Reader(id=ADMIN.id, rules=RULES, now=NOON))
        if "The team has spent $" not in answer.text or not found.rows or found.forecast is None:
            raise AssertionError("the answer has no sums")

    try:
        yield reply
    finally:
        await store.close()
