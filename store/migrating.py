"""Brings a database's schema to the newest revision, all of it or nothing."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from store.engines import connecting
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

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def upgrade(engine: AsyncEngine) -> None:
    """Runs what is missing. Raises StoreBusy where the database doesn't take it in time."""
    async with connecting(), engine.begin() as conn:
        await conn.run_sync(_upgrade)
