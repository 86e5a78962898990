"""SQLite without a thread switch for each small step.

aiosqlite hands every step (make a cursor, run, fetch, close) to a thread and back, which costs many times what
the step itself does. Here only what may wait goes to the thread: a write lock that another process has, and
committing, which waits for the disk. All else reads or changes pages in memory for microseconds, and runs where
it is.
docs/decisions/03-sqlite-on-the-loop.md has the figures.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite

BEGIN_WRITING = "BEGIN IMMEDIATE"


class NearConnection(aiosqlite.Connection):
    """An aiosqlite connection that runs what can't wait without its thread."""

    patience = 0.0
    """Real seconds for which it waits for a lock of another process."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        db = self._connection
        waits = db is None or fn in (db.commit, db.close)
        if db is not None and args and args[0] == BEGIN_WRITING:
            # Free, as nearly always: only other processes use this lock besides us, and here writers queue before.
            try:
                return self._at_once(db, fn, *args, **kwargs)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                waits = True
        if waits:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]  # aiosqlite's own
        return fn(*args, **kwargs)

    def _at_once(self, db: sqlite3.Connection, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        db.execute("PRAGMA busy_timeout = 0")
        try:
            return fn(*args, **kwargs)
        finally:
            db.execute(f"PRAGMA busy_timeout = {round(self.patience * 1000)}")


async def connect(path: Path, *, patience: float) -> NearConnection:
    """Opens the file. Nothing begins by itself; a lock is waited for up to `patience` real seconds."""
    connector = partial(
        sqlite3.connect,
        str(path),
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
    )
    connection = NearConnection(connector, iter_chunk_size=64)
    connection.patience = patience
    # A process that ends without closing its database must not wait for this thread.
    connection._thread.daemon = True
    await connection
    return connection
