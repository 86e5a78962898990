"""Copies a stopped bot's SQLite database to an empty PostgreSQL one."""

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
    """Copy every row of a SQLite database to a PostgreSQL one, which gets the schema first. Return how many rows
    there are. Both are `GPUBOT_DATABASE_URL`s. The source stays as it is.

    Raise Mistake if they are not of these kinds. Raise CannotOpen if a gpubot uses one of them, if the source is
    missing or of another version, or if the target has something in it. Then nothing was copied.
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
    """Raise CannotOpen unless the database has no table, or the newest schema without a row."""
    names = set(inspect(connection).get_table_names())
    fresh = migrating.revision(connection) == HEAD and names == {"alembic_version", *metadata.tables}
    if names and not (fresh and not any(_has_row(connection, table) for table in metadata.sorted_tables)):
        raise CannotOpen("The database that --to names isn't empty. Create an empty one: createdb NAME")


def _has_row(connection: Connection, table: Table) -> bool:
    return connection.execute(select(text("1")).select_from(table).limit(1)).first() is not None


async def _copy_rows(read: AsyncConnection, write: AsyncConnection) -> int:
    """Copy the rows of all tables, in an order in which a row comes after those to which it refers."""
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
    """Return the table with the columns as the database has them. JSON and decimals stay the text that they are,
    because reading and writing them by the models could change it.
    """
    kept = (UtcDateTime, Boolean, Integer, BigInteger)
    return Table(
        table.name,
        MetaData(),
        *(Column(each.name, each.type if isinstance(each.type, kept) else Text()) for each in table.columns),
    )


async def _continue_numbers(conn: AsyncConnection, table: Table) -> None:
    """Let PostgreSQL give the next row a number after those that were copied."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    newest: Any = await conn.scalar(select(func.max(column)))
    if newest is not None:
        await conn.execute(select(func.setval(sequence, newest)))
