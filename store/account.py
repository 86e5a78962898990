"""A few facts about the whole, by name."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.rows import insert
from store.tables import account


class Account:
    """bot.lifecycle.ports.Account."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, name: str) -> str | None:
        return await self._conn.scalar(select(account.c.value).where(account.c.name == name))

    async def set(self, name: str, value: str | None) -> None:
        """None takes it away."""
        if value is None:
            await self._conn.execute(delete(account).where(account.c.name == name))
            return
        await self._conn.execute(
            insert(self._conn, account)
            .values(name=name, value=value)
            .on_conflict_do_update(index_elements=["name"], set_={"value": value})
        )
