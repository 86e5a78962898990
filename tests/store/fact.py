"""A minimal use of a database: writing and reading a single fact."""

from __future__ import annotations

from bot.model.account_facts import Fact
from store.db import Database

NAME = Fact[str]("name", str)


async def write(database: Database, value: str) -> None:
    async with database.write() as tx:
        await tx.account.set(NAME, value)


async def read(database: Database) -> str | None:
    async with database.read() as tx:
        return await tx.account.get(NAME)
