"""SQLite without a thread switch for each small step.

aiosqlite runs every step (make a cursor, run, fetch, close) on a thread, and the switch takes many times as long
as the step. Here only the steps that may wait run on the thread: taking a write lock that another process has, and
committing, which waits for the disk. Every other step reads or changes pages in memory within microseconds, so it
runs on the event loop. docs/decisions/store.md has the measurements.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import WeakSet

import aiosqlite

BEGIN_WRITING = "BEGIN IMMEDIATE"


class InlineConnection(aiosqlite.Connection):
    """An aiosqlite connection that uses its thread only for steps that may wait."""

    lock_timeout = 0.0
    """Real seconds to wait for a lock of another process."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        db = self._connection
        waits = db is None or fn in (db.commit, db.close)
        if db is not None and args and args[0] == BEGIN_WRITING:
            # Our own writers queue before this, so only another process can hold the lock, which is rare.
            try:
                return self._without_waiting(db, fn, *args, **kwargs)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                waits = True
        if waits:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]  # aiosqlite's own
        return fn(*args, **kwargs)

    def _without_waiting(self, db: sqlite3.Connection, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        db.execute("PRAGMA busy_timeout = 0")
        try:
            return fn(*args, **kwargs)
        finally:
            db.execute(f"PRAGMA busy_timeout = {round(self.lock_timeout * 1000)}")


async def connect(path: Path, threads: WeakSet[Thread], *, lock_timeout: float) -> InlineConnection:
    """Open the file without starting a transaction, and add the connection's thread to `threads`. Wait for each
    lock up to `lock_timeout` real seconds."""
    connector = partial(
        sqlite3.connect,
        str(path),
        timeout=lock_timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    connection = InlineConnection(connector, iter_chunk_size=64)
    connection.lock_timeout = lock_timeout
    # Otherwise a process that ends without closing its database would wait forever for this thread.
    connection._thread.daemon = True
    threads.add(connection._thread)
    await connection
    return connection
