"""Copies the SQLite database of a stopped bot to an empty PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import CannotOpen, InUse, Mistake
from store import migrating
from store.columns import UtcDateTime
from store.connections import sqlite_path
from store.db import owning
from store.migrations import HEAD
from store.outages import startup_errors
from store.ownership import PostgresOwnership
from store.tables import metadata

CLAIMANT = "gpubot copy"
ROWS_AT_ONCE = 500


async def copy_to_postgres(source: str, target: str) -> int:
    """Copy every row of a SQLite database to an empty PostgreSQL database, and return the number of rows.

    The target gets the schema first. The source is not changed. If an error is raised, nothing has been copied.

    Args:
        source: The `GPUBOT_DATABASE_URL` of the SQLite database.
        target: The URL of the PostgreSQL database.

    Raises:
        Mistake: One of the URLs is of the wrong kind.
        CannotOpen: A gpubot is using one of the databases, the source is missing or has the schema of another
            version, or the target isn't empty.
    """
    path = sqlite_path(source)
    if path is None:
        raise Mistake("GPUBOT_DATABASE_URL is no SQLite database: only such a one can be copied.")
    if not target.startswith("postgresql://"):
        raise Mistake("--to: name a PostgreSQL database: postgresql://USER@HOST/NAME")
    if not path.exists():
        raise CannotOpen(f"There is no database {path}.")
    async with owning(source, CLAIMANT) as (_, source_engines), owning(target, CLAIMANT) as (ownership, engines):
        if isinstance(ownership, PostgresOwnership) and not await ownership.take_alone():
            raise InUse("The database is in use by another gpubot. Stop that one first.")
        with startup_errors():
            async with source_engines.reader.connect() as read:
                await read.begin()
                await _check_source(read, path)
                async with engines.writer.begin() as conn:
                    await conn.run_sync(_check_empty)
                await migrating.upgrade(engines.writer, target, asked=True)
                async with engines.writer.begin() as write:
                    return await _copy_rows(read, write)


async def _check_source(conn: AsyncConnection, path: Path) -> None:
    found = await conn.run_sync(migrating.revision)
    if found is None:
        raise CannotOpen(f"The database {path} is empty, so there is nothing to copy.")
    if found != HEAD:
        raise CannotOpen("The database was made by an older version. To update it: gpubot migrate")


def _check_empty(connection: Connection) -> None:
    """Raise CannotOpen if the database contains rows, or tables of a schema other than the newest one."""
    names = set(inspect(connection).get_table_names())
    fresh = migrating.revision(connection) == HEAD and names == {"alembic_version", *metadata.tables}
    if names and not (fresh and not any(_has_row(connection, table) for table in metadata.sorted_tables)):
        raise CannotOpen("The database that --to names isn't empty. Create an empty one: createdb NAME")


def _has_row(connection: Connection, table: Table) -> bool:
    return connection.execute(select(text("1")).select_from(table).limit(1)).first() is not None


async def _copy_rows(read: AsyncConnection, write: AsyncConnection) -> int:
    """Copy the rows of all tables, referenced tables first."""
    copied = 0
    for table in metadata.sorted_tables:
        stored = _as_stored(table)
        rows = await read.stream(select(stored))
        async for some in rows.mappings().partitions(ROWS_AT_ONCE):
            await write.execute(insert(stored), [dict(row) for row in some])
            copied += len(some)
        await _continue_numbers(write, table)
    return copied


def _as_stored(table: Table) -> Table:
    """Return a copy of the table definition whose columns have the types of the database, such as text for JSON.

    JSON and decimals remain plain text, because parsing and writing them again through the models could change
    them.
    """
    kept = (UtcDateTime, Boolean, Integer, BigInteger)
    return Table(
        table.name,
        MetaData(),
        *(Column(each.name, each.type if isinstance(each.type, kept) else Text()) for each in table.columns),
    )


async def _continue_numbers(conn: AsyncConnection, table: Table) -> None:
    """Make PostgreSQL continue to number new rows after the highest number that was copied."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    newest: Any = await conn.scalar(select(func.max(column)))
    if newest is not None:
        await conn.execute(select(func.setval(sequence, newest)))
