"""Databases of the schemas that were released, filled with rentals by the code of each schema.

`at_0001.sql` has a rental that bills; the later files have rentals in every state. When a schema is released, a
dump of it is added here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.databases import Postgres
from tests.store.schemas import engine

T = TypeVar("T")

_numbers = count(1)


def _schema(revision: str) -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return run


def _rows(revision: str) -> list[str]:
    """Return the statements that fill a database of this revision."""
    return (Path(__file__).parent / f"at_{revision}.sql").read_text().rstrip(";\n").split(";\n")


def _run(*statements: str) -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return run


async def at(database: AsyncEngine, do: Callable[[Connection], T]) -> T:
    """Call `do` in a transaction and return what it returns."""
    async with database.begin() as conn:
        return await conn.run_sync(do)


async def run(url: str, *statements: str) -> None:
    """Run the statements in one transaction."""
    database = engine(url)
    await at(database, _run(*statements))
    await database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture
def schema() -> str:
    """The revision of the old database, unless a test has another."""
    return "0001"


@pytest.fixture
async def old_url(request: pytest.FixtureRequest, tmp_path: Path, kind: str, schema: str) -> AsyncIterator[str]:
    """The URL of a database of an older revision that holds rentals."""
    url = f"sqlite:///{tmp_path}/old.db"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        name = f"old_{next(_numbers)}"
        await server.run(f"CREATE DATABASE {name}")
        url = server.url(name)
    database = engine(url)
    await at(database, _schema(schema))
    await at(database, _run(*_rows(schema)))
    await database.dispose()
    yield url
    if kind == "postgresql":
        await server.run(f"DROP DATABASE {name} WITH (FORCE)")
