"""Brings a database's schema to the newest revision, all of it or nothing."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from store.engines import connecting


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


async def upgrade(engine: AsyncEngine) -> None:
    """Runs what is missing. Raises StoreBusy where the database doesn't take it in time."""
    async with connecting(), engine.begin() as conn:
        await conn.run_sync(_upgrade)
