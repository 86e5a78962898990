"""Migrations create the schema that the code uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bot.clock import MovedClock
from store.db import Database, migrate
from store.migrations import HEAD
from store.tables import metadata
from tests.databases import Postgres
from tests.store.schemas import engine, indexes, shapes


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
        await tx.account.set("name", "kept")
    await database.close()
    await migrate(url)
    database = await Database.open(url, claimant="test", clock=clock)
    async with database.read() as tx:
        assert await tx.account.get("name") == "kept"
    await database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_opening_an_empty_database_migrates_it(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, clock: MovedClock
) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        await server.run("CREATE DATABASE new_database")
        url = server.url("new_database")
    database = await Database.open(url, claimant="test", clock=clock)
    async with database.read() as tx:
        assert not await tx.rentals.any_ever()
    await database.close()
