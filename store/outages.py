"""Which errors of a database are outages: nothing ends, and the person who asked is told to try again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import CannotOpen, StoreBusy

log = structlog.get_logger("gpubot.store")

_SQLITE_AWAY = frozenset(
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
_POSTGRES_AWAY = ("08", "28", "3D", "40", "53", "57", "58", "XX", "25P03", "25006", "42501", "55P03")
"""SQLSTATE classes and codes: no connection, not let in, no such database, deadlock, no room, cancelled or shut
down, system error, damaged, idle for too long, read-only (a replica), no right to do that, a lock not given in
time (PostgreSQL documentation, appendix A)."""

DRIVER_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What PostgreSQL's driver raises by itself."""

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "It is no SQLite database.",
    sqlite3.SQLITE_CORRUPT: "It is damaged; take the last good copy.",
    "42501": "Its user may not do that; grant it this database.",
}
"""By SQLite's code or PostgreSQL's SQLSTATE: what waiting won't mend at the start, and what may."""


def _away(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_AWAY
    return _state_is_away(error.orig)


def _state_is_away(error: object) -> bool:
    return str(getattr(error, "sqlstate", None) or "").startswith(_POSTGRES_AWAY)


def _busy() -> StoreBusy:
    return StoreBusy("My database doesn't answer. Nothing was changed, try again in a minute.")


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Turns the database's "not now" into StoreBusy; what else goes wrong in it stays what it is.

    No transaction is open across a call to anyone, so an OSError or a time-out in it is the database's. asyncpg
    raises those by itself, and SQLAlchemy passes them on as they are.
    """
    try:
        yield
    except (PoolTimeout, PendingRollbackError, OSError, TimeoutError, asyncpg.InternalClientError) as error:
        raise _busy() from error
    except DBAPIError as error:
        if _away(error):
            raise _busy() from error
        raise
    except asyncpg.PostgresError as error:
        if _state_is_away(error):
            raise _busy() from error
        raise


@asynccontextmanager
async def connecting() -> AsyncIterator[None]:
    """As `in_time`, and for whatever a driver raises by itself while it connects."""
    try:
        async with in_time():
            yield
    except DRIVER_ERRORS as error:
        raise _busy() from error


@asynccontextmanager
async def opening() -> AsyncIterator[None]:
    """As `connecting`, and CannotOpen for what waiting won't mend."""
    try:
        async with connecting():
            yield
    except StoreBusy as busy:
        cause = getattr(busy.__cause__, "orig", None)
        words = _UNUSABLE.get(getattr(cause, "sqlite_errorcode", None) or getattr(cause, "sqlstate", ""))
        if words is None:
            raise
        raise CannotOpen(f"The database can't be used. {words}") from busy


async def let_go(conn: AsyncConnection) -> None:
    """Give a connection back to its pool, also if the task is cancelled meanwhile. Raise nothing if it has broken:
    what was done on it is committed or lost by then, and a broken connection leaves the pool."""
    await asyncio.shield(asyncio.ensure_future(_close(conn)))


async def _close(conn: AsyncConnection) -> None:
    try:
        await conn.close()
    except (SQLAlchemyError, *DRIVER_ERRORS) as error:
        log.warning("store.connection_broke", error=type(error).__name__)
        # Without this, the pool counts it as in use until it is collected as garbage.
        with suppress(SQLAlchemyError, *DRIVER_ERRORS):
            await conn.invalidate()
            await conn.close()
