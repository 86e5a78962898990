"""A few facts about the whole, by name."""

from __future__ import annotations

from typing import cast

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from store.rows import by, put
from store.tables import account

_GET = by(account.c.name).with_only_columns(account.c.value)


class Account:
    """bot.lifecycle.ports.Account."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, name: str) -> str | None:
        return cast(str | None, await self._conn.scalar(_GET, {"of": name}))

    async def set(self, name: str, value: str | None) -> None:
        """None takes it away."""
        if value is None:
            await self._conn.execute(delete(account).where(account.c.name == name))
        else:
            await put(self._conn, account, {"name": name, "value": value})
