"""A driver for SQLite that changes threads only for what may wait.

SQLite reads and changes pages in memory within microseconds, so that runs on the event loop. What may wait runs on
the thread of an aiosqlite connection: taking a write lock that another process has, a commit that waits for the
disk, and closing. docs/decisions/store.md has the measurements.
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
"""In the `info` of a connection that writes: whether the next transaction's commit waits for the disk."""

BEGIN_WRITING = "BEGIN IMMEDIATE"
CHECKPOINT_PAGES = 1000
"""How many pages the log has when a durable commit copies them into the database: SQLite's default."""


class _Nothing:
    """An awaitable that is done at once."""

    def __await__(self) -> Any:
        return iter(())


_NOTHING = _Nothing()


class _Cursor(sqlite3.Cursor):
    """A cursor from which SQLAlchemy takes the rows without waiting."""

    async def _async_soft_close(self) -> None:
        """Leave the cursor open: SQLAlchemy closes it once it took the rows."""


class InlineConnection:
    """A connection for SQLAlchemy, as PEP 249 describes it. Call `connect` instead of the class."""

    def __init__(
        self, file: sqlite3.Connection, waiting: aiosqlite.Connection, lock_timeout: float, *, writes: bool
    ) -> None:
        self.waiting = waiting
        """The same connection, whose calls run on its thread."""
        self._file = file
        self._lock_timeout = lock_timeout
        self._writes = writes
        self._durable = True

    def cursor(self) -> sqlite3.Cursor:
        await_only(_NOTHING)  # SQLAlchemy raises an error for a statement during which nothing was awaited
        return self._file.cursor(_Cursor)

    def begin(self, *, durable: bool) -> None:
        """Begin a transaction. If it writes, take the write lock, and wait for another process that has it."""
        if not self._writes:
            self._file.execute("BEGIN")
            return
        if durable is not self._durable:
            # NORMAL writes the log in the same order, but waits for the disk only when the log is copied into the
            # database (https://www.sqlite.org/pragma.html#pragma_synchronous), which is left to durable commits.
            # It can't be changed in a transaction.
            self._file.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._file.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES if durable else 0}")
            self._durable = durable
        try:
            # Our own writers queue before this, so only another process can hold the lock, which is rare.
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
        """Close the connection after what its thread does now. Don't wait for that."""
        self.waiting.stop()

    def create_function(self, *arguments: Any, **named: Any) -> None:
        """Define a function for SQL, as SQLAlchemy does for each connection."""
        self._file.create_function(*arguments, **named)


def connect(
    path: Path, threads: WeakSet[Thread], *, lock_timeout: float, writes: bool, pragmas: Collection[str]
) -> InlineConnection:
    """Open the file, and add the connection's thread to `threads`. Call this where SQLAlchemy makes a connection.

    With `writes`, each transaction begins by taking the write lock. Wait for each lock up to `lock_timeout` real
    seconds.
    """
    file = sqlite3.connect(str(path), timeout=lock_timeout, isolation_level=None, check_same_thread=False)
    waiting = aiosqlite.Connection(lambda: file, iter_chunk_size=64)
    # Otherwise a process that ends without closing its database would wait forever for this thread.
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
        """Return a cursor for a result that is read in parts, as each is: SQLite finds a row when it is read."""
        return self._dbapi_connection.cursor()


class InlineDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's SQLite over connections of this module: `sqlite+inline://`."""

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
