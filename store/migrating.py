"""Migrates the schema of a database to the newest revision, either completely or not at all."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import CannotOpen
from bot.model.text import plural
from store import backup
from store.connections import copying_tables, sqlite_path
from store.migrations import FIRST, HEAD
from store.outages import is_outage, startup_errors
from store.tables import metadata

_COLUMNS = {
    "sqlite": (
        "SELECT found.name, columns.name "
        "FROM sqlite_master AS found JOIN pragma_table_info(found.name) AS columns WHERE found.type = 'table'"
    ),
    "postgresql": (
        "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid "
        "WHERE relkind = 'r' AND pg_table_is_visible(pg_class.oid) AND attnum > 0 AND NOT attisdropped"
    ),
}


def revision(connection: Connection) -> str | None:
    """Return the revision of the schema, or None if the database is empty.

    Raises CannotOpen if the revision is newer than this version of the bot, or older than the first release.
    CannotOpen is also raised if an unreleased bot created the database while the revision was still being
    developed.
    """
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None:
        return None
    if found > HEAD:
        raise CannotOpen(
            f"The database was made by a newer gpubot (schema {found}, this version has {HEAD}). "
            "Install that version."
        )
    if found < FIRST:
        raise CannotOpen(
            f"The database was made by a gpubot before 0.1.0 (schema {found}), which no release can read. "
            "Move it away and start with a new one. The admins will then be asked about each running machine."
        )
    if found == HEAD:
        _check_columns(connection, found)
    return found


def _check_columns(connection: Connection, called: str) -> None:
    """Raise CannotOpen if the database lacks a column of its revision.

    That happens if the database was made by an unreleased commit, while the revision was still being developed.

    Args:
        connection: A connection to the database.
        called: The revision that is stored in the database.
    """
    found = {(table, column) for table, column in connection.execute(text(_COLUMNS[connection.dialect.name]))}
    for table in metadata.sorted_tables:
        for column in table.columns:
            if (table.name, column.name) not in found:
                raise _unreleased(called, f"it has no column {table.name}.{column.name}")


def _unreleased(called: str, why: str) -> CannotOpen:
    return CannotOpen(
        f"The database was made by a gpubot between two releases: its schema is called {called}, but {why}. "
        "Nothing was changed. Use the commit that made it, or move the database away and start with a new one: "
        "the admins will then be asked about each running machine."
    )


def _upgrade(connection: Connection) -> None:
    # Import Alembic, the library for migrations, only here. The import is slow, and most starts have nothing to
    # migrate.
    from alembic import command  # noqa: PLC0415 - loaded where it is needed
    from alembic.config import Config  # noqa: PLC0415 - loaded where it is needed

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        _check_references(connection)


def _check_references(connection: Connection) -> None:
    """Raise CannotOpen if a row refers to a missing row.

    SQLite doesn't check references while tables are being copied.
    """
    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise CannotOpen(
            f"The database is damaged: {broken[0]} has a row whose row in {broken[2]} is missing. "
            "Nothing was changed; take the last good copy."
        )


def check_start(connection: Connection, url: str, found: str | None) -> None:
    """Raise CannotOpen if the bot's start would migrate a PostgreSQL database with rentals that aren't over.

    A person should back up such a database first, and then run `gpubot migrate`.

    Args:
        connection: A connection to the database.
        url: The URL of the database.
        found: The revision of its schema.
    """
    if found in {None, HEAD} or sqlite_path(url) is not None:
        return
    # All versions of the schema that can be migrated have the column `live`, so this query works in each of them.
    live = connection.scalar(text("SELECT count(*) FROM rentals WHERE live"))
    if live:
        are = plural(live, "rental is live", "rentals are live")
        raise CannotOpen(
            f"The database is of an older gpubot (schema {found}, mine is {HEAD}), and {are}. Nobody ends their "
            "machines until I run. "
            f"Keep a copy, then migrate it:  {backup.dump_command(url)}  &&  gpubot migrate"
        )


async def upgrade(engine: AsyncEngine, url: str, *, asked: bool) -> None:
    """Run the missing migrations, after preparing a way to return to the old version (see store/backup.py).

    Args:
        engine: The connections that write.
        url: The URL of the database.
        asked: Whether a person requested this with `gpubot migrate`. If not, `check_start` may refuse.

    Raises:
        CannotOpen: There is no space for a copy, `check_start` refused, or the database has a problem that won't
            go away by itself.
        StoreBusy: The database doesn't respond at the moment.
    """
    with startup_errors():
        async with engine.connect() as conn:
            found = await conn.run_sync(revision)
            if found == HEAD:
                await conn.rollback()
                return
            if not asked:
                await conn.run_sync(check_start, url, found)
            await conn.rollback()
            if found is not None:
                await asyncio.to_thread(backup.keep, url, found)
            try:
                async with copying_tables(conn), conn.begin():
                    await conn.run_sync(_upgrade)
                    await conn.run_sync(_check_columns, found or HEAD)
            except DBAPIError as error:
                if found is None or is_outage(error):
                    raise
                raise _unreleased(found, "it can't be migrated from there") from error
