"""One process owns a database: by a lock on a file next to SQLite's, by an advisory lock on PostgreSQL."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import asyncpg

from bot.errors import CannotOpen, InUse
from store.connections import postgres_connection
from store.outages import DRIVER_ERRORS, connection_errors

_OWNER_LOCK = 0x67707561
"""The number of an advisory lock. Nothing else in this database may take it."""


class Ownership(Protocol):
    """The right to use a database, until it is released or the process ends."""

    async def renew(self) -> None:
        """Take the right again if it was lost. Raise StoreBusy if that is not possible now."""

    async def release(self) -> None: ...


class FileOwnership:
    """A lock on `PATH.lock`. The operating system keeps it until this process ends, so it is never lost."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, path: Path) -> FileOwnership:
        """Create the folder (0700), the lock and the database file (0600) if they are missing, and take the lock.
        Raise InUse if another process has it, and CannotOpen if a file can't be used."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotOpen(f"The database folder {path.parent} can't be used: {error.strerror}.") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except BlockingIOError as error:
            os.close(handle)
            raise InUse(f"The database {path} is in use by another gpubot; stop that one first.") from error
        except OSError as error:
            os.close(handle)
            raise CannotOpen(f"The database {path} can't be used: {error.strerror}.") from error
        return cls(handle)

    async def renew(self) -> None:
        return

    async def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class PostgresOwnership:
    """An advisory lock in a session of its own. The lock is lost with the connection, and can be taken again."""

    def __init__(self, url: str, name: str, session: asyncpg.Connection) -> None:
        self._url = url
        self._name = name
        self._session = session
        self._renewing = asyncio.Lock()

    @classmethod
    async def take(cls, url: str, name: str) -> PostgresOwnership:
        """Take the lock. Raise InUse if another process has it, and CannotOpen if the server can't be used."""
        try:
            return cls(url, name, await _owning_session(url, name))
        except asyncpg.LockNotAvailableError as error:
            raise InUse("The database is in use by another gpubot; stop that one first.") from error
        except (ValueError, OverflowError) as error:  # OverflowError: the port is too large
            # The error is not shown: it quotes parts of the URL, which can be parts of a password.
            raise CannotOpen(
                "GPUBOT_DATABASE_URL is no address that PostgreSQL understands: "
                "postgresql://USER:PASSWORD@HOST:PORT/NAME, with other signs than letters and digits as %XX."
            ) from error
        except DRIVER_ERRORS as error:
            raise CannotOpen(f"The database can't be reached: {_one_line(error)}.") from error

    async def renew(self) -> None:
        if not self._session.is_closed():
            return
        async with self._renewing, connection_errors():
            if self._session.is_closed():
                self._session = await _owning_session(self._url, self._name)

    async def release(self) -> None:
        try:
            with suppress(*DRIVER_ERRORS):
                await self._session.close(timeout=1)
        finally:
            self._session.terminate()


async def _owning_session(url: str, name: str) -> asyncpg.Connection:
    session = await postgres_connection(url, f"{name} (owner)")
    try:
        # Wait (lock_timeout): the session of a process that was just killed may not have ended yet.
        await session.execute(f"SELECT pg_advisory_lock({_OWNER_LOCK})")
    except BaseException:
        session.terminate()
        raise
    return session


def _one_line(error: BaseException) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line or type(error).__name__
