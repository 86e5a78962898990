"""Brings a database's schema to the newest revision, all of it or nothing."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import CannotOpen
from store.connections import copying_tables
from store.migrations import HEAD
from store.outages import opening


def revision(connection: Connection) -> str | None:
    """The schema's revision, None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def check_known(found: str | None) -> None:
    """Raises CannotOpen for a revision that a newer version has made."""
    if found is not None and found > HEAD:
        raise CannotOpen(f"The database is of a newer gpubot (schema {found}, mine is {HEAD}). Install that one.")


def _upgrade(connection: Connection) -> None:
    # Most starts find nothing to do and need not load all of Alembic.
    from alembic import command  # noqa: PLC0415 - loaded where it is needed
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        _check_references(connection)


def _check_references(connection: Connection) -> None:
    """Makes up for what SQLite didn't check meanwhile. Raises CannotOpen."""
    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise CannotOpen(
            f"The database is damaged: {broken[0]} has a row whose row in {broken[2]} is missing. "
            "Nothing was changed; take the last good copy."
        )


async def upgrade(engine: AsyncEngine) -> None:
    """Runs what is missing. Raises StoreBusy where the database doesn't take it in time, else CannotOpen."""
    async with opening(), engine.connect() as conn:
        found = await conn.run_sync(revision)
        await conn.rollback()
        if found == HEAD:
            return
        check_known(found)
        async with copying_tables(conn), conn.begin():
            await conn.run_sync(_upgrade)
