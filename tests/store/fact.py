"""The smallest work on a database: one fact is written and read."""

from __future__ import annotations

from store.db import Database


async def write(database: Database, value: str) -> None:
    async with database.write() as tx:
        await tx.account.set("name", value)


async def read(database: Database) -> str | None:
    async with database.read() as tx:
        return await tx.account.get("name")
