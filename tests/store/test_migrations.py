"""Migrations create the schema that the code uses."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from bot.clock import MovedClock
from bot.errors import CannotOpen
from store.db import Database, migrate
from store.migrations import HEAD
from store.tables import metadata
from tests.databases import Postgres
from tests.store.fact import NAME
from tests.store.schemas import at, contents, engine, indexes, running, shapes


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_migrations_create_the_tables_that_the_code_uses(url: str) -> None:
    database = engine(url)
    async with database.connect() as conn:
        assert await conn.run_sync(differences) == []
    await database.dispose()


async def test_migrations_create_the_same_keys_and_indexes_under_the_same_names(url: str) -> None:
    database = engine(url)
    async with database.connect() as conn:
        migrated = await conn.run_sync(shapes), await conn.run_sync(indexes)
        await conn.run_sync(metadata.drop_all)
        await conn.run_sync(metadata.create_all)
        assert (await conn.run_sync(shapes), await conn.run_sync(indexes)) == migrated
        await conn.rollback()
    await database.dispose()
    assert len(migrated[1]) > 15


def test_head_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_migrating_again_changes_nothing(url: str, clock: MovedClock) -> None:
    database = await Database.open(url, claimant="test", clock=clock)
    async with database.write() as tx:
        await tx.account.set(NAME, "kept")
    await database.close()
    await migrate(url)
    database = await Database.open(url, claimant="test", clock=clock)
    async with database.read() as tx:
        assert await tx.account.get(NAME) == "kept"
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Yield the URL of an empty database of each kind that has never been migrated."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    await server.run("CREATE DATABASE new_database")
    yield server.url("new_database")
    await server.run("DROP DATABASE new_database WITH (FORCE)")


async def test_opening_an_empty_database_migrates_it(new_url: str, clock: MovedClock) -> None:
    database = await Database.open(new_url, claimant="test", clock=clock)
    async with database.read() as tx:
        assert not await tx.rentals.any_ever()
    await database.close()


async def test_a_failed_migration_changes_nothing_and_can_be_repeated(new_url: str, clock: MovedClock) -> None:
    database = engine(new_url)
    await at(database, running("CREATE TABLE visits (of_somebody INTEGER)"))
    with pytest.raises((OperationalError, ProgrammingError), match="visits"):
        await migrate(new_url)
    assert (await at(database, contents)).keys() == {"visits"}
    await at(database, running("DROP TABLE visits"))
    await database.dispose()
    await test_opening_an_empty_database_migrates_it(new_url, clock)


async def test_a_database_with_a_dangling_reference_is_not_migrated(tmp_path: Path) -> None:
    # By default, sqlite3 doesn't check references.
    with closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as shell:
        shell.execute("CREATE TABLE first (id INTEGER PRIMARY KEY)")
        shell.execute("CREATE TABLE second (first_id INTEGER REFERENCES first (id))")
        shell.execute("INSERT INTO second VALUES (7)")
    url = f"sqlite:///{tmp_path}/other.db"
    with pytest.raises(CannotOpen, match="second has a row whose row in first is missing") as refused:
        await migrate(url)
    assert len(refused.value.words.splitlines()) == 1
    database = engine(url)
    assert (await at(database, contents)).keys() == {"first", "second"}
    await database.dispose()
