"""Due rows and claims on them, in the tables that loops work through: quotes, rentals and visits."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, Select, Table, Update, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.mapping import param


def _key(table: Table) -> ColumnElement[Any]:
    """Return the one column of a table's primary key."""
    (key,) = table.primary_key
    return key


@cache
def _claim(table: Table, columns: tuple[ColumnElement[Any], ...]) -> Any:
    key = _key(table)
    due = (
        select(key.label("key"))
        .where(table.c.due_at <= param(table.c.due_at, "now"), table.c.claimed_by.is_(None))
        .order_by(table.c.due_at, key)
        .limit(bindparam("max_rows"))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(table)
        .where(key.in_(select(due.c.key)))
        .values(claimed_by=param(table.c.claimed_by, "claimant"))
        .returning(*columns)
    )


async def claim(
    conn: AsyncConnection,
    table: Table,
    columns: tuple[ColumnElement[Any], ...],
    now: datetime,
    *,
    claimant: str,
    limit: int,
) -> list[Row[Any]]:
    """Claim up to `limit` rows that are due and unclaimed. Return their `columns`, longest due first.

    The key and `due_at` must be among the columns. No column may need parsing, because one row that can't be
    parsed would block the claims of all others.
    """
    key = _key(table).name
    claimed = await conn.execute(_claim(table, columns), {"now": now, "claimant": claimant, "max_rows": limit})
    return sorted(claimed.all(), key=lambda row: (row.due_at, row._mapping[key]))


@cache
def _release(table: Table) -> Update:
    return update(table).where(_key(table) == bindparam("key")).values(claimed_by=None)


async def release(conn: AsyncConnection, table: Table, row_id: str) -> None:
    """End the claim on a row, so that it can be claimed again."""
    await conn.execute(_release(table), {"key": row_id})


async def release_all(conn: AsyncConnection, table: Table, without: Collection[str] = ()) -> None:
    """End every claim except those on the rows `without`."""
    releasing = update(table).where(table.c.claimed_by.is_not(None)).values(claimed_by=None)
    await conn.execute(releasing.where(_key(table).not_in(without)) if without else releasing)


@cache
def _next_due(table: Table) -> Select[Any]:
    return (
        select(table.c.due_at)
        .where(table.c.due_at.is_not(None), table.c.claimed_by.is_(None))
        .order_by(table.c.due_at)
        .limit(1)
    )


async def next_due(conn: AsyncConnection, table: Table) -> datetime | None:
    """Return when the next unclaimed row is due. Return None if no unclaimed row has a due time."""
    return cast(datetime | None, await conn.scalar(_next_due(table)))


async def oldest_due(conn: AsyncConnection, table: Table, without: Collection[str]) -> tuple[str, datetime] | None:
    """Return the id and the due time of the row that is due first, claimed or not, except the rows `without`."""
    first = select(table.c.id, table.c.due_at).where(table.c.due_at.is_not(None)).order_by(table.c.due_at).limit(1)
    row = (await conn.execute(first.where(table.c.id.not_in(without)) if without else first)).first()
    return None if row is None else (row.id, row.due_at)
