"""Brings a database's schema to the newest revision, all of it or nothing."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import CannotOpen, StoreBusy
from store.engines import connecting, one_line
from store.migrations import HEAD


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection) -> None:
    if _revision(connection) == HEAD:
        return
    # Most starts find nothing to do and need not load all of Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise CannotOpen(f"The database was made by another version of gpubot: {one_line(error)}.") from error


async def upgrade(engine: AsyncEngine) -> None:
    """Runs what is missing. Raises CannotOpen."""
    try:
        async with connecting(), engine.begin() as conn:
            await conn.run_sync(_upgrade)
    except StoreBusy as error:
        raise CannotOpen(
            "The database is busy: another program is writing it. Start again when it is done."
        ) from error
    except DBAPIError as error:
        raise CannotOpen(f"The database can't be used: {one_line(error.orig or error)}.") from error
