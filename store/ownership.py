"""Ownership of a database: the right to use it.

A SQLite database has one owner at a time: the process that holds a lock on a file next to it. A PostgreSQL
database can have several owners: bot processes that are called replicas. Each replica opens a database session in
which it holds a shared advisory lock. In the same session, it listens for commits of the other replicas.
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
"""The number of the advisory lock that represents ownership. Nothing else in this database may use the number.

Each replica holds the lock in shared mode. A process that migrates the database holds it exclusively, and so does
a bot of an old version that doesn't support replicas.
"""
_LEAVE_LOCK = 0x67707563
"""The number of the advisory lock that `gpubot migrate` holds while it waits for the replicas to stop.

Replicas stop when they see this lock. Unlike a stored flag, it disappears if `gpubot migrate` crashes.
"""
LEAVE_WITHIN = 20.0
"""The time in seconds (wall clock) that `gpubot migrate` waits for the replicas to stop."""
_TRIES_EVERY = 0.2
_SHARE_TRIES = 10
"""The number of times that a process tries to take the shared lock. Each try waits for up to a second.

A try fails while another process migrates the database, or while the server hasn't yet noticed that a process with
the exclusive lock was killed.
"""
CHANNEL = "gpubot"
"""The channel on which replicas notify each other of their commits."""

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
"""Ends the sessions of bot processes that were suspended in the middle of a statement.

PostgreSQL's `idle_in_transaction_session_timeout` doesn't end such a session: asyncpg first prepares a new
statement and then executes it, and the session isn't idle for PostgreSQL between these two. The application name
excludes the sessions of other programs, such as psql.
"""


class Ownership(Protocol):
    """The right to use a database, until it is released or the process ends."""

    shared: bool
    """True if other processes can use the database at the same time."""

    async def renew(self) -> None:
        """Take ownership again if it was lost. Raises StoreBusy if that is not possible now."""

    async def release(self) -> None: ...


class FileOwnership:
    """A lock on `PATH.lock`. The operating system keeps the lock until this process ends, so it can't be lost."""

    shared = False

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, path: Path) -> FileOwnership:
        """Take the lock, creating the folder (0700), the lock file and the database (0600) if they are missing.

        Raises InUse if another process has the lock, and CannotOpen if a file can't be used.
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
    """An advisory lock in a database session of its own.

    If the session breaks, the lock is lost and has to be taken again. The server may then be a different one, such
    as a standby that was promoted.
    """

    shared = True

    def __init__(self, url: str, name: str, session: asyncpg.Connection, hold_at_most: float) -> None:
        self._url = url
        self._name = name
        self._session = session
        self._hold_at_most = timedelta(seconds=hold_at_most)
        self._alone = False
        self._shares = False
        """True while this process holds the lock in shared mode.

        `_alone` is true while it holds the lock exclusively.
        """
        self._using = asyncio.Lock()
        """A lock that is held while the session is used, because a connection can do only one thing at a time."""
        self.on_notification: Callable[[str], None] | None = None
        """Called with each notification, whether from another replica or from this process."""
        self.on_retaken: Callable[[], None] | None = None
        """Called after the lock was lost and has been taken again."""

    @classmethod
    async def take(cls, url: str, name: str, *, hold_at_most: float = HOLD_AT_MOST) -> PostgresOwnership:
        """Take the shared lock.

        Raises InUse if a process holds it exclusively, and CannotOpen if the server can't be used.
        """
        try:
            session = await postgres_connection(url, f"{name} (owner)")
            ownership = cls(url, name, session, hold_at_most)
            try:
                await ownership.share()
            except BaseException:
                session.terminate()
                raise
        except (ValueError, OverflowError) as error:  # OverflowError: the port is too large
            # Don't show the text of the original error. It quotes parts of the database's URL, which may be parts
            # of the password.
            raise CannotOpen(
                "GPUBOT_DATABASE_URL is no address that PostgreSQL understands: "
                "postgresql://USER:PASSWORD@HOST:PORT/NAME, with other signs than letters and digits as %XX."
            ) from error
        except driver_errors() as error:
            raise CannotOpen(f"The database can't be reached: {_one_line(error)}.") from error
        return ownership

    async def share(self) -> None:
        """Take the shared lock, giving up an exclusive one.

        Raises InUse if another process holds the lock exclusively.
        """
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
        """Exchange the shared lock for an exclusive one.

        Returns False if another process holds the lock. This process then no longer has the shared lock, because
        it had to give it up first.
        """
        if self._shares:
            await self._session.execute(f"SELECT pg_advisory_unlock_shared({_OWNER_LOCK})")
            self._shares = False
        self._alone = await self._session.fetchval(f"SELECT pg_try_advisory_lock({_OWNER_LOCK})")
        return self._alone

    async def ask_to_leave(self, clock: Clock, within: float) -> None:
        """Make all replicas stop, and then take the lock exclusively.

        Raises InUse if a replica is still running after `within` seconds (wall clock).
        """
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
        """Register callbacks for events of the database session.

        Args:
            on_notification: Called with each notification from the replicas.
            on_retaken: Called after the lock was lost and has been taken again.
        """
        self.on_notification, self.on_retaken = on_notification, on_retaken
        await self._session.add_listener(CHANNEL, self._notified)

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if self.on_notification is not None:
            self.on_notification(str(payload))

    async def look(self) -> Look:
        """Return the number of replicas that share the database, and the database's time.

        Also ends the sessions of processes that were suspended in the middle of a statement, so that their
        transactions no longer hold locks. Raises CannotOpen if this process must stop because the database is
        being migrated, and StoreBusy if the server doesn't respond.
        """
        await self.renew()
        with connection_errors():
            async with self._using:
                try:
                    row: Any = await self._session.fetchrow(_LOOK)
                    ended = await self._session.fetchval(_END_STOPPED, self._name, self._hold_at_most)
                except driver_errors():
                    # Nobody knows the state of the session after this error, so end the session. This releases its
                    # lock. The next use of the database opens a new session and takes the lock again.
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
