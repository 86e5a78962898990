"""Connection pools for SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import AsyncAdaptedQueuePool, Connection, Table, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.dml import UpdateBase

from bot.errors import CannotOpen
from store import inline_sqlite
from store.inline_sqlite import DURABLE

if TYPE_CHECKING:
    import asyncpg

LOCK_TIMEOUT = 1.0
"""The time in seconds (wall clock) that a statement waits for a lock of another process."""
QUEUE_TIMEOUT = 1.75
"""The time in seconds (wall clock) that a transaction waits for its turn or for a free connection.

LOCK_TIMEOUT and QUEUE_TIMEOUT together are shorter than the 3 s within which Slack needs an acknowledgement.
"""

WRITTEN = "written"
"""The key in a connection's `info` dict whose value is the set of tables that the transaction has written."""

HOLD_AT_MOST = 10.0
"""The time in seconds (wall clock) after which PostgreSQL ends a transaction whose process sends nothing.

The process may have been suspended, or its machine may have failed. Without this limit, its transaction would then
keep its locks forever. A claim, that is, a process's exclusive right to work on a row, lasts longer than this
time. When a claim expires, the row is therefore no longer locked.
"""

_READER_LOCK_TIMEOUT = 0.05
"""The time in seconds (wall clock) that a reader on SQLite waits for a lock.

The time is short because a reader has to wait only while another process recovers or removes the write-ahead log.
"""


@dataclass(frozen=True)
class Engines:
    """Two connection pools: one for writing, one for reading."""

    writer: AsyncEngine
    reader: AsyncEngine
    threads: WeakSet[Thread] = field(default_factory=WeakSet)
    """The threads of the open SQLite connections."""

    async def dispose(self) -> None:
        """Close all connections that are not in use.

        If a task was cancelled in the middle of a statement, its connection is still being closed by a thread that
        uses the event loop. This method waits for such threads, so that the loop isn't closed before they end.
        """
        try:
            await self.writer.dispose()
        finally:
            await self.reader.dispose()
        for thread in list(self.threads):
            await asyncio.to_thread(thread.join, 2 * LOCK_TIMEOUT)


def sqlite_path(url: str) -> Path | None:
    """Return the file named by a `sqlite:///PATH` URL, or None for a PostgreSQL URL.

    Raises CannotOpen for any other URL.
    """
    scheme, _, rest = url.partition("://")
    if scheme in {"postgresql", "postgres"}:
        return None
    if scheme != "sqlite":
        raise CannotOpen("GPUBOT_DATABASE_URL is neither sqlite:///PATH nor postgresql://..")
    if len(rest) < 2 or not rest.startswith("/"):
        raise CannotOpen("GPUBOT_DATABASE_URL names no file: sqlite:///PATH")
    return Path(rest[1:])


def without_password(url: str) -> str:
    """Return the kind, host and name of a database in a form that is safe to log."""
    parts = make_url(url)
    return f"{parts.get_backend_name()} {parts.host or ''}/{parts.database}".replace(" /", " ")


def sqlite_engines(path: Path) -> Engines:
    """Create a pool with one connection that writes, and a pool that only reads.

    In WAL mode, readers never wait for the writer.
    """
    threads = WeakSet[Thread]()

    def pool(size: int, overflow: int, lock_timeout: float, *pragmas: str, writes: bool) -> AsyncEngine:
        connect = partial(inline_sqlite.connect, path, threads, lock_timeout=lock_timeout, writes=writes)
        return create_async_engine(
            "sqlite+inline://",
            creator=partial(connect, pragmas=pragmas),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=overflow,
            pool_use_lifo=True,
            pool_reset_on_return=None,
        )

    durably = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
    writer = pool(1, 0, LOCK_TIMEOUT, *durably, writes=True)
    reader = pool(4, -1, _READER_LOCK_TIMEOUT, "query_only = ON", writes=False)
    _note_written(writer)
    return Engines(writer, reader, threads)


def _note_written(engine: AsyncEngine) -> None:
    """Note the tables that a connection's statements write, in the `info` of the connection."""

    def executed(connection: Connection, statement: object, *_: object) -> None:
        if isinstance(statement, UpdateBase) and isinstance(statement.table, Table):
            connection.info.setdefault(WRITTEN, set()).add(statement.table)

    event.listen(engine.sync_engine, "after_execute", executed)


@asynccontextmanager
async def copying_tables(conn: AsyncConnection) -> AsyncIterator[None]:
    """Disable SQLite's foreign keys, so that a migration can replace a table that other tables refer to.

    Enter this block before the transaction begins, because SQLite ignores the setting inside a transaction
    (https://www.sqlite.org/lang_altertable.html, section 7).
    """
    if conn.dialect.name != "sqlite":
        yield
        return
    raw: Any = (await conn.get_raw_connection()).driver_connection
    await raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        await raw.execute("PRAGMA foreign_keys = ON")


async def postgres_connection(
    url: str, name: str, *, lock_timeout: float = LOCK_TIMEOUT, hold_at_most: float = HOLD_AT_MOST
) -> asyncpg.Connection:
    """Connect with asyncpg, which interprets the URL in the same way as libpq."""
    import asyncpg  # noqa: PLC0415 - loaded only with PostgreSQL

    return await asyncpg.connect(
        url,
        timeout=2 * LOCK_TIMEOUT,
        command_timeout=10 * LOCK_TIMEOUT,
        server_settings={
            "application_name": name,
            "lock_timeout": f"{lock_timeout:.3f}s",
            "idle_in_transaction_session_timeout": f"{hold_at_most * 1000:.0f}ms",
            "timezone": "UTC",
        },
    )


def postgres_engines(url: str, name: str, *, hold_at_most: float = HOLD_AT_MOST) -> Engines:
    """Create a pool that writes and a pool that reads.

    All reads of one transaction see the same snapshot, as on SQLite.
    """

    async def connect() -> asyncpg.Connection:
        return await postgres_connection(url, name, hold_at_most=hold_at_most)

    def pool(size: int, isolation: IsolationLevel) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            isolation_level=isolation,
            pool_size=size,
            max_overflow=size,
            pool_timeout=QUEUE_TIMEOUT,
            pool_use_lifo=True,
        )

    def begun(connection: Connection) -> None:
        if not connection.info.get(DURABLE, True):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    writer = pool(10, "READ COMMITTED")
    event.listen(writer.sync_engine, "begin", begun)
    _note_written(writer)
    return Engines(writer, pool(5, "REPEATABLE READ").execution_options(postgresql_readonly=True))
