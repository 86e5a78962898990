"""A new database for each test, on SQLite and on a real PostgreSQL.

Each test process migrates each schema only once. After that, each test gets a copy of the SQLite file, or the
emptied PostgreSQL database. In a folder's conftest: `from tests.databases import clock, database, postgres, url`.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import psutil
import pytest

from bot.clock import MovedClock
from soak.databases import postgres_server
from store.db import Database, migrate
from store.tables import metadata
from tests.dialects import share_dialects

share_dialects()

START = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)
"""Bot time when a test begins. It changes only if the test moves it."""

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
"""Runs a test on SQLite alone, because other tests execute its SQL on both databases."""

_CUT_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_SEQUENCES = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
_DELETE = "; ".join([*(str(table.delete()) for table in reversed(metadata.sorted_tables)), _SEQUENCES])
_TRUNCATE = f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"
"""Takes forty times as long as deleting a few rows, but leaves no pages behind that the planner would count."""
_IS_LARGE = "SELECT max(pg_relation_size(oid)) > 8 * 8192 FROM pg_class WHERE relkind = 'r' AND oid >= 16384"

_migrated_file: list[bytes] = []
"""The content of an empty SQLite database with the newest schema, once a test of this process has needed one."""


@dataclass
class Postgres:
    """The PostgreSQL server of this test process."""

    server: Any
    migrated: bool = False
    """True once the server contains the migrated database that the tests share."""

    def url(self, database: str = "postgres") -> str:
        return str(self.server.get_uri(database=database))

    async def run(self, *statements: str) -> None:
        """Run statements one by one, outside any transaction."""
        connection = await asyncpg.connect(self.url())
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def stop(self) -> None:
        """Stop the server without a checkpoint, which has the same effect as a crash."""
        await self._run(self.server.bin_path / "pg_ctl", "stop", "-D", self.server.pgdata, "-m", "immediate")

    async def start(self) -> None:
        """Start the server again, at the same address."""
        await asyncio.to_thread(self.server.ensure_postgres_running)

    async def copy(self) -> Path:
        """Return a copy of the current data folder, like the data of a standby that lags behind from now on."""
        info, copy = self.server.get_postmaster_info(), Path(self.server.pgdata).with_name("copy")
        address = ("-h", info.socket_dir, "-p", str(info.port), "-U", self.server.postgres_user)
        if self.server.system_user is not None:
            shutil.chown(copy.parent, self.server.system_user)
        await self._run(
            self.server.bin_path / "pg_basebackup", "-D", copy, "--checkpoint=fast", "--no-sync", *address
        )
        return copy

    async def fail_over(self, copy: Path) -> None:
        """Stop the server, and start one in its place that has the data of the copy."""
        await self.stop()
        await asyncio.to_thread(self._replace_data, copy)
        await self.start()

    def _replace_data(self, copy: Path) -> None:
        for lock in copy.glob(".s.PGSQL.*"):
            lock.unlink()
        shutil.rmtree(self.server.pgdata)
        copy.rename(self.server.pgdata)

    async def limit_files(self, size: str) -> None:
        """Make each write of the server fail that exceeds `size` bytes of a file, as on a full disk."""
        postmaster = psutil.Process(self.server.get_postmaster_info().pid)
        limit = ("/usr/bin/prlimit", f"--fsize={size}:unlimited", "--pid")
        await self._run(*limit, str(postmaster.pid))
        for process in postmaster.children():
            with suppress(subprocess.CalledProcessError):  # the process may have ended in the meantime
                await self._run(*limit, str(process.pid))

    async def _run(self, *command: str | Path) -> None:
        """Run a program as the user that the server runs as."""
        await asyncio.to_thread(
            subprocess.run, command, user=self.server.system_user, check=True, capture_output=True
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server, which starts for the first test that needs it."""
    with postgres_server() as server:
        yield Postgres(server)


async def fresh_sqlite(path: Path) -> str:
    """Write a migrated, empty SQLite database to `path`, and return its URL."""
    if not _migrated_file:
        with TemporaryDirectory() as folder:
            first = Path(folder) / "gpubot.db"
            await migrate(f"sqlite:///{first}")
            _migrated_file.append(first.read_bytes())
    _write(path, _migrated_file[0])
    return f"sqlite:///{path}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


async def fresh_postgres(postgres: Postgres) -> str:
    """Return the URL of a migrated, empty PostgreSQL database without connections.

    All tests of the process share this database, because creating one takes long.
    """
    url = postgres.url("gpubot")
    if not postgres.migrated:
        postgres.migrated = True
        await postgres.run(
            # A test's data needn't survive a power cut.
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET synchronous_commit = off",
            # With statistics of a nearly empty table, the planner would choose indexes arbitrarily.
            "ALTER SYSTEM SET autovacuum = off",
            "SELECT pg_reload_conf()",
            "CREATE DATABASE gpubot",
        )
        await migrate(url)
    connection = await asyncpg.connect(url)
    await connection.execute(_CUT_OTHERS)
    await connection.execute(_TRUNCATE if await connection.fetchval(_IS_LARGE) else _DELETE)
    await connection.close()
    return url


def beside(database: Database) -> Database:
    """Return a second claimant on an open database, which acts like another process. Close only the first one."""
    other = Database(database.engines, database._ownership, database._clock, "beside")
    other._writer_lock = database._writer_lock  # there is one lock per file, for which both wait
    return other


async def cut_connections(url: str) -> None:
    """End every other connection to a PostgreSQL database, as a restart of the server would."""
    connection = await asyncpg.connect(url)
    await connection.execute(_CUT_OTHERS)
    await connection.close()


@pytest.fixture
async def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of an empty, migrated SQLite database."""
    return await fresh_sqlite(tmp_path / "gpubot.db")


@pytest.fixture
async def postgres_url(postgres: Postgres) -> str:
    """Return the URL of an empty, migrated PostgreSQL database."""
    return await fresh_postgres(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty, migrated database of each kind."""
    if request.param == "sqlite":
        return await fresh_sqlite(tmp_path / "gpubot.db")
    return await fresh_postgres(request.getfixturevalue("postgres"))


@pytest.fixture
def clock() -> MovedClock:
    """Return a clock that is stopped at START."""
    return MovedClock(START)


@pytest.fixture
async def database(url: str, clock: MovedClock) -> AsyncIterator[Database]:
    """Yield an open database, which is closed after the test."""
    opened = await Database.open(url, claimant="test", clock=clock)
    yield opened
    await opened.close()
