"""One process owns a database: a lock on a file beside SQLite's, an advisory lock on PostgreSQL."""

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
from store.outages import DRIVER_ERRORS, connecting

_OWNER = 0x67707561  # any number that nothing else in this database locks


class Ownership(Protocol):
    """Held until released; the system lets go of it when the process dies."""

    async def renew(self) -> None:
        """Takes it again where it was lost. Raises StoreBusy where that is not possible now."""

    async def release(self) -> None: ...


class FileOwnership:
    """A lock on `PATH.lock`. Only this process can write the file while it is held, so it is never lost."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, path: Path) -> FileOwnership:
        """Makes the folder (0700), the lock and the database file (0600) where they are missing. Raises
        CannotOpen, InUse."""
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
    """An advisory lock of a session of its own. It is lost with its connection, then taken again."""

    def __init__(self, url: str, name: str, session: asyncpg.Connection) -> None:
        self._url = url
        self._name = name
        self._session = session
        self._renewing = asyncio.Lock()

    @classmethod
    async def take(cls, url: str, name: str) -> PostgresOwnership:
        """Raises CannotOpen, InUse."""
        try:
            return cls(url, name, await _owning_session(url, name))
        except asyncpg.LockNotAvailableError as error:
            raise InUse("The database is in use by another gpubot; stop that one first.") from error
        except (ValueError, OverflowError) as error:  # OverflowError: a port that is too large
            # Its text quotes parts of the URL, which can be parts of a password.
            raise CannotOpen(
                "GPUBOT_DATABASE_URL is no address that PostgreSQL understands: "
                "postgresql://USER:PASSWORD@HOST:PORT/NAME, with other signs than letters and digits as %XX."
            ) from error
        except DRIVER_ERRORS as error:
            raise CannotOpen(f"The database can't be reached: {_one_line(error)}.") from error

    async def renew(self) -> None:
        if not self._session.is_closed():
            return
        async with self._renewing, connecting():
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
        # Waits a moment: the session of a process that was just killed may not have ended yet.
        await session.execute(f"SELECT pg_advisory_lock({_OWNER})")
    except BaseException:
        session.terminate()
        raise
    return session


def _one_line(error: BaseException) -> str:
    words = " ".join(str(error).split()).rstrip(".")
    return words or type(error).__name__
