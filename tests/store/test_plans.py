"""What runs again and again reads only the rows that it is about: SQLite's own plans say so."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bot.clock import MovedClock
from bot.lifecycle.ports import Change, Held
from bot.model.event import EventKind
from bot.model.message import MessageKind
from store.db import Database, Transaction
from tests.databases import START, fresh_sqlite
from tests.store import make

Statements = list[tuple[str, Any]]


@pytest.fixture
async def path(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, templates: dict[str, Any]) -> Path:
    url = await fresh_sqlite(tmp_path, templates, tmp_path_factory)
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
async def database(path: Path, clock: MovedClock) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{path}", claimant="test", clock=clock)
    yield opened
    await opened.close()


@contextmanager
def watched(database: Database) -> Iterator[Statements]:
    """Collects what is run on the writing connection."""
    seen: Statements = []

    def running(_conn: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        seen.append((sql, values))

    writer = database.engines.writer.sync_engine
    event.listen(writer, "before_cursor_execute", running)
    yield seen
    event.remove(writer, "before_cursor_execute", running)


def plan(path: Path, statements: Statements) -> list[str]:
    """How SQLite would find the rows, a line for each table that a statement looks through."""
    connection = sqlite3.connect(path)
    try:
        return [
            row[3]
            for sql, values in statements
            if sql.startswith(("SELECT", "UPDATE", "WITH", "DELETE"))
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            if row[3].startswith(("SCAN", "SEARCH"))
        ]
    finally:
        connection.close()


HELD = Held(ids=frozenset({7}), places=frozenset({"C0HOME"}))
Ask = Callable[[Transaction], Awaitable[object]]

ASKED_AGAIN_AND_AGAIN: list[tuple[str, Ask]] = [
    ("rentals_due", lambda tx: tx.rentals.claim(START, "a", 9)),
    ("rentals_due", lambda tx: tx.rentals.next_due()),
    ("quotes_due", lambda tx: tx.quotes.claim(START, "a", 9)),
    ("quotes_due", lambda tx: tx.quotes.next_due()),
    ("rentals_live", lambda tx: tx.rentals.usage(make.ANA)),
    ("rentals_live", lambda tx: tx.rentals.usage(make.ANA, without="x")),
    ("rentals_live", lambda tx: tx.rentals.live()),
    ("rentals_live", lambda tx: tx.rentals.live(make.ANA)),
    ("rentals_live", lambda tx: tx.rentals.states()),
    ("rentals_claimed", lambda tx: tx.rentals.release_all(but=["a"])),
    ("quotes_claimed", lambda tx: tx.quotes.release_all()),
    ("rentals_live", lambda tx: tx.people.seen(make.ANA, START)),
    ("rentals_owner", lambda tx: tx.rentals.recent(make.ANA, 9)),
    ("resources_alive", lambda tx: tx.rentals.alive_resources()),
    ("attempts_ready", lambda tx: tx.rentals.usual_ready("nebius", "h100")),
    ("messages_due", lambda tx: tx.messages.due(START, 9)),
    ("messages_due", lambda tx: tx.messages.next_due()),
    ("messages_due", lambda tx: tx.messages.untold()),
    ("messages_card", lambda tx: tx.messages.card("k7mq2")),
    ("messages_due", lambda tx: tx.messages.due(START, 9, HELD)),
    ("messages_rental", lambda tx: tx.messages.due(START, 9, HELD)),
    ("quotes_owner", lambda tx: tx.quotes.asked_since(make.ANA, START)),
    ("quotes_owner", lambda tx: tx.quotes.waiting_for_key(make.ANA, START)),
]


@pytest.mark.parametrize(("index", "ask"), ASKED_AGAIN_AND_AGAIN)
async def test_it_reads_through_the_index_made_for_it(
    database: Database, path: Path, index: str, ask: Ask
) -> None:
    with watched(database) as statements:
        async with database.write() as tx:
            await ask(tx)
    lines = plan(path, statements)
    assert any(f"INDEX {index}" in line for line in lines), lines
    assert not [line for line in lines if line.startswith("SCAN") and " INDEX " not in line and line != "SCAN due"]


async def test_a_change_looks_through_no_table(database: Database, path: Path) -> None:
    before = await make.begun(database, make.rental(attempts=1), make.attempt())
    change = Change(
        before=before,
        after=make.next_of(before),
        events=(make.event(EventKind.ACCEPTED),),
        messages=((0, make.message(MessageKind.THREAD)),),
        attempts=(make.attempt(accepted=True),),
        resources=(make.resource(),),
        ledger=(make.ledger_row(),),
    )
    with watched(database) as statements:
        async with database.write() as tx:
            await tx.rentals.apply(change)
    lines = plan(path, statements)
    assert lines
    assert not [line for line in lines if line.startswith("SCAN") and line != "SCAN CONSTANT ROW"], lines


async def test_clearing_claims_at_start_reads_only_claims(path: Path, clock: MovedClock) -> None:
    connection = sqlite3.connect(path)
    for table in ("rentals", "quotes"):
        lines = connection.execute(
            f"EXPLAIN QUERY PLAN UPDATE {table} SET claimed_by = NULL WHERE claimed_by IS NOT NULL"  # noqa: S608
        ).fetchall()
        assert all(f"{table}_claimed" in line[3] for line in lines), lines
    connection.close()
