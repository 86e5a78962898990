"""Brings a database's schema to the newest revision, all of it or nothing."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import CannotOpen
from store.engines import opening
from store.migrations import HEAD


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
    found = revision(connection)
    if found == HEAD:
        return
    check_known(found)
    # Most starts find nothing to do and need not load all of Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def upgrade(engine: AsyncEngine) -> None:
    """Runs what is missing. Raises StoreBusy where the database doesn't take it in time, else CannotOpen."""
    async with opening(), engine.begin() as conn:
        await conn.run_sync(_upgrade)
