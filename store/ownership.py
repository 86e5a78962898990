"""The right to use a database: one process has it on SQLite, several share it on PostgreSQL.

SQLite's is a lock on a file beside the database. PostgreSQL's is an advisory lock, which the replicas take shared,
in a session of their own. The same session listens for what the others commit.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bot.clock import Clock
from bot.errors import CannotOpen, InUse
from bot.model.records import Look
from store.connections import HOLD_AT_MOST, postgres_connection
from store.migrations import HEAD
from store.outages import connection_errors, driver_errors

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger("gpubot.store")

_OWNER_LOCK = 0x67707561
"""The number of an advisory lock. Nothing else in this database may take it. Each replica has it shared; who
migrates has it alone, as versions without replicas have."""
_LEAVE_LOCK = 0x67707563
"""The same for the lock that `gpubot migrate` has while it waits until the replicas have ended. As a lock, it goes
with the process that has it."""
LEAVE_WITHIN = 20.0
"""Real seconds for which `gpubot migrate` waits until the replicas have ended."""
_TRIES_EVERY = 0.2
_SHARE_TRIES = 10
"""How often a process tries for a second to share the lock: another one that starts may be migrating, and the
session of one that was just killed may not have ended yet."""
CHANNEL = "gpubot"
"""Where replicas notify each other of what they committed."""

_LOCKS = """
    SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LOOK = f"""
    WITH locks AS ({_LOCKS})
    SELECT clock_timestamp() AS now, (SELECT version_num FROM alembic_version) AS revision,
    (SELECT count(*) FROM locks WHERE objid = {_OWNER_LOCK}) AS replicas,
    EXISTS (SELECT FROM locks WHERE objid = {_LEAVE_LOCK}) AS leave
"""  # noqa: S608 - two constants
_END_STOPPED = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = $1
    AND state = 'active' AND wait_event_type = 'Client' AND state_change < clock_timestamp() - $2::interval
"""
"""Ends the sessions whose process stopped in the middle of a statement.

asyncpg prepares a new statement and executes it in two steps. PostgreSQL doesn't count the time between them for
`idle_in_transaction_session_timeout`. Sessions of other programs, such as psql, have another name."""


class Ownership(Protocol):
    """The right to use a database, until it is released or the process ends."""

    shared: bool
    """Whether other processes may use the database at the same time."""

    async def renew(self) -> None:
        """Take the right again if it was lost. Raise StoreBusy if that is not possible now."""

    async def release(self) -> None: ...


class FileOwnership:
    """A lock on `PATH.lock`. The operating system keeps it until this process ends, so it is never lost."""

    shared = False

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, path: Path) -> FileOwnership:
        """Create the folder (0700), the lock and the database file (0600) if they are missing, and take the lock.
        Raise InUse if another process has it, and CannotOpen if a file can't be used.
        """
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
            raise InUse(
                f"The database {path} is in use by another gpubot. Stop that one first. "
                "Only PostgreSQL can be shared by several."
            ) from error
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
    """An advisory lock in a session of its own. It is lost with the session, and can be taken again: then the
    database may be another one, such as a standby that took over.
    """

    shared = True

    def __init__(self, url: str, name: str, session: asyncpg.Connection, hold_at_most: float) -> None:
        self._url = url
        self._name = name
        self._session = session
        self._hold_at_most = timedelta(seconds=hold_at_most)
        self._alone = False
        self._shares = False
        """Whether this process has the lock alone, and whether it has it shared."""
        self._using = asyncio.Lock()
        """Held by who uses the session: a connection does one thing at a time."""
        self.on_notification: Callable[[str], None] | None = None
        """Called with what another replica, or this one, notified of."""
        self.on_retaken: Callable[[], None] | None = None
        """Called after the lock was lost and taken again."""

    @classmethod
    async def take(cls, url: str, name: str, *, hold_at_most: float = HOLD_AT_MOST) -> PostgresOwnership:
        """Share the lock. Raise InUse if a process has it alone, and CannotOpen if the server can't be used."""
        try:
            session = await postgres_connection(url, f"{name} (owner)")
            ownership = cls(url, name, session, hold_at_most)
            try:
                await ownership.share()
            except BaseException:
                session.terminate()
                raise
        except (ValueError, OverflowError) as error:  # OverflowError: the port is too large
            # The error is not shown: it quotes parts of the URL, which can be parts of a password.
            raise CannotOpen(
                "GPUBOT_DATABASE_URL is no address that PostgreSQL understands: "
                "postgresql://USER:PASSWORD@HOST:PORT/NAME, with other signs than letters and digits as %XX."
            ) from error
        except driver_errors() as error:
            raise CannotOpen(f"The database can't be reached: {_one_line(error)}.") from error
        return ownership

    async def share(self) -> None:
        """Share the lock, also if this process has it alone. Raise InUse if another process has it alone."""
        import asyncpg  # noqa: PLC0415 - loaded only with PostgreSQL

        try:
            await _share(self._session, _SHARE_TRIES)
        except asyncpg.LockNotAvailableError as error:
            raise InUse(
                "The database is in use by another gpubot, which migrates it or is of a version without replicas; "
                "wait for it or stop it first."
            ) from error
        if self._alone:
            await self._session.execute(f"SELECT pg_advisory_unlock({_OWNER_LOCK})")
        self._alone, self._shares = False, True

    async def take_alone(self) -> bool:
        """Give up the shared lock, and take it alone. Return False, with no lock, if another process has it."""
        if self._shares:
            await self._session.execute(f"SELECT pg_advisory_unlock_shared({_OWNER_LOCK})")
            self._shares = False
        self._alone = await self._session.fetchval(f"SELECT pg_try_advisory_lock({_OWNER_LOCK})")
        return self._alone

    async def ask_to_leave(self, clock: Clock, within: float) -> None:
        """Have the replicas end, and take the lock alone. Raise InUse if one runs after `within` real seconds."""
        session = self._session
        if not await session.fetchval(f"SELECT pg_try_advisory_lock({_LEAVE_LOCK})"):
            raise InUse("Another gpubot migrate is running. Wait until it is done.")
        until = clock.monotonic() + within
        while clock.monotonic() < until:
            if await self.take_alone():
                return
            await clock.pause(_TRIES_EVERY)
        raise InUse(
            "A gpubot is still using the database, and may be hanging. Stop it, then run gpubot migrate again."
        )

    async def watch(self, on_notification: Callable[[str], None], on_retaken: Callable[[], None]) -> None:
        """Call `on_notification` with what replicas notify of, and `on_retaken` when the lost lock was retaken."""
        self.on_notification, self.on_retaken = on_notification, on_retaken
        await self._session.add_listener(CHANNEL, self._notified)

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if self.on_notification is not None:
            self.on_notification(str(payload))

    async def look(self) -> Look:
        """Return how this process stands among those that share the database.

        Also ends the sessions of processes that stopped in the middle of a statement, so that their transactions
        hold no locks any more. Raises CannotOpen if this process must leave, and StoreBusy if the server doesn't
        answer.
        """
        await self.renew()
        with connection_errors():
            async with self._using:
                try:
                    row: Any = await self._session.fetchrow(_LOOK)
                    ended = await self._session.fetchval(_END_STOPPED, self._name, self._hold_at_most)
                except driver_errors():
                    # The session ends with its lock. The next use takes both again.
                    self._session.terminate()
                    raise
        if ended:
            log.warning("store.ended_stopped_sessions", count=ended)
        if row["revision"] != HEAD:
            raise CannotOpen(f"The database was migrated to schema {row['revision']}, mine is {HEAD}. I end here.")
        if row["leave"]:
            raise CannotOpen(
                "gpubot migrate is migrating the database, so I'm stopping. Start me again in the new version."
            )
        return Look(database_time=row["now"], replicas=row["replicas"])

    async def renew(self) -> None:
        if not self._session.is_closed():
            return
        async with self._using:
            with connection_errors():
                if self._session.is_closed():
                    await self._retake()

    async def _retake(self) -> None:
        session = await postgres_connection(self._url, f"{self._name} (owner)")
        try:
            await _share(session)
            if self.on_notification is not None:
                await session.add_listener(CHANNEL, self._notified)
        except BaseException:
            session.terminate()
            raise
        self._session = session
        log.warning("store.taken_again")
        if self.on_retaken is not None:
            self.on_retaken()

    async def release(self) -> None:
        try:
            with suppress(*driver_errors()):
                await self._session.close(timeout=1)
        finally:
            self._session.terminate()


async def _share(session: asyncpg.Connection, tries: int = 1) -> None:
    import asyncpg  # noqa: PLC0415 - loaded only with PostgreSQL

    for number in range(1, tries + 1):
        try:
            await session.execute(f"SELECT pg_advisory_lock_shared({_OWNER_LOCK})")
            break
        except asyncpg.LockNotAvailableError:  # after LOCK_TIMEOUT
            if number == tries:
                raise
    if await session.fetchval(f"SELECT {_LEAVE_LOCK} IN ({_LOCKS})"):
        raise asyncpg.LockNotAvailableError("gpubot migrate waits until every gpubot has ended")


def _one_line(error: BaseException) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line or type(error).__name__
