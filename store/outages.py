"""Translates database outages to StoreBusy, so that the bot keeps running and people can try again."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import CannotOpen, StoreBusy

log = structlog.get_logger("gpubot.store")

_SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
_POSTGRES_OUTAGES = ("08", "28", "3D", "40", "53", "57", "58", "XX", "25P03", "25006", "42501", "55P03")
"""SQLSTATE classes and codes that are treated as outages (PostgreSQL documentation, appendix A).

They mean, in order: connection lost, access refused, no such database, deadlock, out of resources, cancelled or
shut down, system error, data corrupted, idle in a transaction for too long, read-only (a standby), no permission,
lock timeout.
"""

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "It isn't an SQLite database.",
    sqlite3.SQLITE_CORRUPT: "It is damaged. Restore the last good backup.",
    "42501": "Its user lacks the permission. Grant that user this database.",
}
"""Advice for problems that waiting doesn't solve, by SQLite error code or PostgreSQL SQLSTATE."""


def _asyncpg_errors(*names: str) -> tuple[type[Exception], ...]:
    """Return the exception classes of asyncpg with these names.

    If asyncpg isn't imported, it can't have raised an exception, so an empty tuple is returned. Only a bot on
    PostgreSQL imports asyncpg, which takes a twentieth of the start-up time.
    """
    asyncpg = sys.modules.get("asyncpg")
    return () if asyncpg is None else tuple(getattr(asyncpg, name) for name in names)


def driver_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of database drivers that SQLAlchemy doesn't wrap in a DBAPIError."""
    return (OSError, TimeoutError, *_asyncpg_errors("PostgresError", "InterfaceError", "InternalClientError"))


def is_outage(error: Exception) -> bool:
    """Return whether an error means that the database is unavailable, perhaps only temporarily."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return (code & 0xFF) in _SQLITE_OUTAGES
        return _has_outage_state(error.orig)
    waited = (PoolTimeout, PendingRollbackError, OSError, TimeoutError, *_asyncpg_errors("InternalClientError"))
    return isinstance(error, waited) or _has_outage_state(error)


def _has_outage_state(error: object) -> bool:
    return str(getattr(error, "sqlstate", None) or "").startswith(_POSTGRES_OUTAGES)


def _busy() -> StoreBusy:
    return StoreBusy("My database doesn't answer. Nothing was changed. Try again in a minute.")


@contextmanager
def query_errors() -> Iterator[None]:
    """Raise StoreBusy instead of an error that means that the database is unavailable.

    All other errors are raised unchanged.

    An OSError or a timeout is treated as an outage too, because asyncpg raises these errors and SQLAlchemy does
    not wrap them. They can only come from the database, because the bot calls no other service during a
    transaction.
    """
    try:
        yield
    except Exception as error:
        if is_outage(error):
            raise _busy() from error
        raise


@contextmanager
def connection_errors() -> Iterator[None]:
    """Raise StoreBusy instead of any error that the driver raises while connecting to the database."""
    try:
        with query_errors():
            yield
    except driver_errors() as error:
        raise _busy() from error


@contextmanager
def startup_errors() -> Iterator[None]:
    """Translate errors during the start: CannotOpen if waiting won't help, otherwise StoreBusy."""
    try:
        with connection_errors():
            yield
    except StoreBusy as busy:
        cause = getattr(busy.__cause__, "orig", None)
        advice = _UNUSABLE.get(getattr(cause, "sqlite_errorcode", None) or getattr(cause, "sqlstate", ""))
        if advice is None:
            raise
        raise CannotOpen(f"The database can't be used. {advice}") from busy


async def return_connection(conn: AsyncConnection) -> None:
    """Return a connection to its pool, even if the task is cancelled in the meantime.

    If the connection is broken, it is removed from the pool instead. No error is raised for that, because the
    transaction of the connection has ended already.
    """
    if conn.dialect.name == "sqlite":
        # Return a SQLite connection directly. Returning it never waits, so a cancelled task can't interrupt it. A
        # separate task would run only after other tasks that are ready, and each of these would have to open a new
        # connection.
        await _close(conn)
    else:
        await asyncio.shield(asyncio.ensure_future(_close(conn)))


async def _close(conn: AsyncConnection) -> None:
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, *driver_errors())
    try:
        await conn.close()
    except errors as error:
        log.warning("store.connection_broke", error=type(error).__name__)
        # Tell the pool that the connection is broken. Otherwise, the pool would count it as in use until Python
        # frees the object.
        with suppress(*errors):
            await conn.invalidate()
            await conn.close()
