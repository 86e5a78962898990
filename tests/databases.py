"""A new database for each test, on SQLite and on a real PostgreSQL.

Each test process migrates a schema once. Then each test gets a copy of the file, or the emptied database.
In a folder's conftest: `from tests.databases import clock, database, postgres, templates, url`.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.clock import MovedClock
from soak.databases import postgres_server
from store.db import Database, migrate
from store.tables import metadata

START = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)
"""Our time when a test begins. It changes only if the test moves it."""

_numbers = count(1)


@dataclass
class Postgres:
    """The PostgreSQL server of this test process."""

    server: Any

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started for the first test that needs it."""
    with postgres_server() as server:
        yield Postgres(server)


@pytest.fixture(scope="session")
def templates() -> dict[str, Any]:
    """The databases that were migrated in this test process, by kind. Tests get copies of them."""
    return {}


async def fresh_sqlite(folder: Path, templates: dict[str, Any], factory: pytest.TempPathFactory) -> str:
    """Return the URL of a new, migrated SQLite database in `folder`."""
    if "sqlite" not in templates:
        templates["sqlite"] = factory.mktemp("template") / "gpubot.db"
        await migrate(f"sqlite:///{templates['sqlite']}")
    path = folder / f"gpubot-{next(_numbers)}.db"
    shutil.copy(templates["sqlite"], path)
    return f"sqlite:///{path}"


async def fresh_postgres(postgres: Postgres, templates: dict[str, Any]) -> str:
    """Return the URL of a migrated, empty PostgreSQL database without connections.

    It is the same one for all tests of the process, because creating one takes long.
    """
    url = postgres.url("gpubot")
    if "postgresql" not in templates:
        templates["postgresql"] = "gpubot"
        await postgres.run(
            # A test's data need not survive a power cut.
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET synchronous_commit = off",
            "SELECT pg_reload_conf()",
            "CREATE DATABASE gpubot",
        )
        await migrate(url)
    await cut_connections(url)
    connection = await asyncpg.connect(url)
    await connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
    await connection.close()
    return url


async def cut_connections(url: str) -> None:
    """End every other connection to a PostgreSQL database, as its restart would."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


@pytest.fixture
async def sqlite_url(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, templates: dict[str, Any]) -> str:
    """The URL of an empty, migrated SQLite database."""
    return await fresh_sqlite(tmp_path, templates, tmp_path_factory)


@pytest.fixture
async def postgres_url(postgres: Postgres, templates: dict[str, Any]) -> str:
    """The URL of an empty, migrated PostgreSQL database."""
    return await fresh_postgres(postgres, templates)


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    templates: dict[str, Any],
) -> str:
    """The URL of an empty, migrated database of each kind."""
    if request.param == "sqlite":
        return await fresh_sqlite(tmp_path, templates, tmp_path_factory)
    return await fresh_postgres(request.getfixturevalue("postgres"), templates)


@pytest.fixture
def clock() -> MovedClock:
    """A clock that stands at START."""
    return MovedClock(START)


@pytest.fixture
async def database(url: str, clock: MovedClock) -> AsyncIterator[Database]:
    """An open database, which is closed after the test."""
    opened = await Database.open(url, claimant="test", clock=clock)
    yield opened
    await opened.close()
