"""A SQLite driver that switches threads only for operations that can block.

SQLite reads and changes pages in memory within microseconds, so these operations run directly on the event loop.
Operations that can block run on the thread of an aiosqlite connection: taking a write lock that another process
has, a commit that waits for the disk, and closing. docs/decisions/store.md has the measurements.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import WeakSet

import aiosqlite
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteExecutionContext
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.util import await_only

DURABLE = "durable"
"""The key in a connection's `info` dict whose value says whether the next commit waits for the disk."""

BEGIN_WRITING = "BEGIN IMMEDIATE"
CHECKPOINT_PAGES = 1000
"""The size of the write-ahead log, in pages, at which a durable commit copies the log into the database.

This is SQLite's default.
"""


class _Nothing:
    """An awaitable that completes immediately."""

    def __await__(self) -> Any:
        return iter(())


_NOTHING = _Nothing()


class _Cursor(sqlite3.Cursor):
    """A cursor with the method `_async_soft_close`, which SQLAlchemy's asyncio extension calls."""

    async def _async_soft_close(self) -> None:
        """Leave the cursor open. SQLAlchemy closes it after reading the rows."""


class InlineConnection:
    """A database connection for SQLAlchemy, as described by PEP 249. Use `connect` to create one."""

    def __init__(
        self, file: sqlite3.Connection, waiting: aiosqlite.Connection, lock_timeout: float, *, writes: bool
    ) -> None:
        self.waiting = waiting
        """The same connection for calls that can block, which aiosqlite runs on a separate thread."""
        self._file = file
        self._lock_timeout = lock_timeout
        self._writes = writes
        self._durable = True

    def cursor(self) -> sqlite3.Cursor:
        await_only(_NOTHING)  # SQLAlchemy raises an error for a statement during which nothing is awaited
        return self._file.cursor(_Cursor)

    def begin(self, *, durable: bool) -> None:
        """Begin a transaction.

        A transaction that writes begins by taking the write lock, waiting for another process if necessary.
        """
        if not self._writes:
            self._file.execute("BEGIN")
            return
        if durable is not self._durable:
            # A write that isn't durable must not wait for the disk. With `synchronous = NORMAL`, a commit waits
            # only if it also copies the write-ahead log into the database
            # (https://www.sqlite.org/pragma.html#pragma_synchronous), so this copying is switched off. Set both
            # options before the transaction begins, because SQLite can't change `synchronous` inside a
            # transaction.
            self._file.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._file.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES if durable else 0}")
            self._durable = durable
        try:
            # First try to get SQLite's write lock without waiting, which is allowed on the event loop. This nearly
            # always succeeds: this process has only one writer at a time, so only another process can have the
            # lock.
            self._begin_at_once()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await_only(self.waiting.execute(BEGIN_WRITING))

    def _begin_at_once(self) -> None:
        self._file.execute("PRAGMA busy_timeout = 0")
        try:
            self._file.execute(BEGIN_WRITING)
        finally:
            self._file.execute(f"PRAGMA busy_timeout = {round(self._lock_timeout * 1000)}")

    def commit(self) -> None:
        if self._durable:
            await_only(self.waiting.commit())
        else:
            self._file.commit()

    def rollback(self) -> None:
        self._file.rollback()

    def close(self) -> None:
        await_only(self.waiting.close())

    def terminate(self) -> None:
        """Close the connection without waiting for it. The connection's thread finishes its current call first."""
        self.waiting.stop()

    def create_function(self, *arguments: Any, **named: Any) -> None:
        """Define an SQL function. SQLAlchemy calls this for each new connection."""
        self._file.create_function(*arguments, **named)


def connect(
    path: Path, threads: WeakSet[Thread], *, lock_timeout: float, writes: bool, pragmas: Collection[str]
) -> InlineConnection:
    """Open the database file, and add the connection's thread to `threads`.

    Call this only where SQLAlchemy creates a connection.

    Args:
        path: The database file.
        threads: The set that the connection's thread is added to.
        lock_timeout: The seconds (wall clock) to wait for a lock.
        writes: Whether each transaction begins by taking the write lock.
        pragmas: Settings to apply, such as `foreign_keys = ON`.
    """
    file = sqlite3.connect(str(path), timeout=lock_timeout, isolation_level=None, check_same_thread=False)
    waiting = aiosqlite.Connection(lambda: file, iter_chunk_size=64)
    # Make this thread a daemon. When Python exits, it waits for all other threads. This thread ends only when the
    # database is closed, so Python might wait forever.
    waiting._thread.daemon = True
    threads.add(waiting._thread)
    try:
        await_only(waiting)
        for pragma in pragmas:
            file.execute(f"PRAGMA {pragma}")
    except BaseException:
        file.close()
        waiting.stop()
        raise
    return InlineConnection(file, waiting, lock_timeout, writes=writes)


class _ExecutionContext(SQLiteExecutionContext):
    def create_server_side_cursor(self) -> DBAPICursor:
        """Return an ordinary cursor. It already streams, because SQLite computes each row only when it is read."""
        return self._dbapi_connection.cursor()


class InlineDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's SQLite dialect using the connections of this module: `sqlite+inline://`."""

    driver = "inline"
    execution_ctx_cls = _ExecutionContext
    supports_server_side_cursors = True
    is_async = True
    has_terminate = True
    supports_statement_cache = True

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        connection: Any = dbapi_connection.dbapi_connection
        connection.begin(durable=dbapi_connection.info.get(DURABLE, True))

    def do_terminate(self, dbapi_connection: DBAPIConnection) -> None:
        connection: Any = dbapi_connection
        connection.terminate()

    def get_driver_connection(self, connection: DBAPIConnection) -> Any:
        inline: Any = connection
        return inline.waiting


registry.register("sqlite.inline", __name__, InlineDialect.__name__)
