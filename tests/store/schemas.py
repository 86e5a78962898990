"""Reads the schema and all rows of a database, without using the store's models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, inspect, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine

from store.connections import postgres_engines, sqlite_engines, sqlite_path

T = TypeVar("T")

_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def engine(url: str) -> AsyncEngine:
    """Return an engine that writes, configured like the store's."""
    path = sqlite_path(url)
    return (postgres_engines(url, "test") if path is None else sqlite_engines(path)).writer


async def at(database: AsyncEngine, do: Callable[[Connection], T]) -> T:
    """Call `do` in a transaction, and return its result. If it fails, also close the database's connections."""
    try:
        async with database.begin() as conn:
            return await conn.run_sync(do)
    except BaseException:
        # The failing test won't close these connections. Python warns when it frees an open connection, and this
        # warning would make a later test fail.
        await database.dispose()
        raise


def running(*statements: str) -> Callable[[Connection], None]:
    """Return a function that runs these statements."""

    def run(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return run


def indexes(connection: Connection) -> dict[str, str]:
    """Return the definition of each index with its condition, in the database's own format."""
    rows = connection.execute(text(_INDEXES[connection.dialect.name]))
    return {name: definition for name, definition in rows if name != "alembic_version_pkc"}


def shapes(connection: Connection) -> dict[str, Any]:
    """Return the columns and the named keys of each table."""
    found = inspect(connection)
    return {
        name: (
            {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(name)},
            found.get_pk_constraint(name),
            sorted(found.get_foreign_keys(name), key=str),
            sorted(found.get_unique_constraints(name), key=str),
        )
        for name in _tables(connection)
    }


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, including the revision of the schema."""
    return {
        name: sorted(
            (dict(row) for row in connection.execute(select(text("*")).select_from(table(name))).mappings()),
            key=lambda row: [str(value) for value in row.values()],
        )
        for name in sorted(inspect(connection).get_table_names())
    }


def _tables(connection: Connection) -> list[str]:
    """Return the names of the tables. The database may have an older schema than the code."""
    return sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
