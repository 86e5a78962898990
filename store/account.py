"""Facts about the account and this bot, each under a name: texts, counters and times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import Integer, Text, bindparam, delete, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.asyncio import AsyncConnection

from store.mapping import INSERTS, select_by, upsert
from store.tables import account

_c = account.c
_GET = select_by(_c.name).with_only_columns(_c.value)
_HAS_PREFIX = _c.name.startswith(bindparam("prefix", type_=Text), autoescape=False)
_WITH_PREFIX = select(_c.name, _c.value).where(_HAS_PREFIX)
_DROP_MARKS = delete(account).where(_HAS_PREFIX, _c.value < bindparam("before", type_=Text))


@cache
def _increment(dialect: str) -> Any:
    incremented = sql_cast(sql_cast(_c.value, Integer) + 1, Text)
    insert = INSERTS[dialect](account).values(value="1")
    return insert.on_conflict_do_update(index_elements=[_c.name], set_={"value": incremented})


@cache
def _mark(dialect: str) -> Any:
    insert = INSERTS[dialect](account)
    return insert.on_conflict_do_update(
        index_elements=[_c.name],
        set_={"value": insert.excluded.value},
        where=_c.value < bindparam("before", type_=Text),
    )


def _time_text(at: datetime) -> str:
    """Return the time as text of one width, which sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Account:
    """bot.lifecycle.ports.store.Account."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, name: str) -> str | None:
        return cast(str | None, await self._conn.scalar(_GET, {"key": name}))

    async def set(self, name: str, value: str | None) -> None:
        """Store `value` under `name`. Remove the fact if `value` is None."""
        if value is None:
            await self._conn.execute(delete(account).where(account.c.name == name))
        else:
            await upsert(self._conn, account, {"name": name, "value": value})

    async def with_prefix(self, prefix: str) -> dict[str, str]:
        rows = await self._conn.execute(_WITH_PREFIX, {"prefix": prefix})
        return {row.name: row.value for row in rows}

    async def increment(self, name: str) -> None:
        await self._conn.execute(_increment(self._conn.dialect.name), {"name": name})

    async def get_count(self, name: str) -> int:
        return int(await self.get(name) or 0)

    async def mark(self, name: str, at: datetime, before: datetime) -> bool:
        values = {"name": name, "value": _time_text(at), "before": _time_text(before)}
        return (await self._conn.execute(_mark(self._conn.dialect.name), values)).rowcount == 1

    async def drop_marks(self, prefix: str, before: datetime) -> None:
        await self._conn.execute(_DROP_MARKS, {"prefix": prefix, "before": _time_text(before)})
