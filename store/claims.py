"""What is due, for the tables that an engine works through: quotes and rentals."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, Select, Table, Update, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.mapping import given


@cache
def _claiming(table: Table, columns: tuple[ColumnElement[Any], ...]) -> Any:
    due = (
        select(table.c.id)
        .where(table.c.due_at <= given(table.c.due_at, "now"), table.c.claimed_by.is_(None))
        .order_by(table.c.due_at, table.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(table)
        .where(table.c.id.in_(select(due.c.id)))
        .values(claimed_by=given(table.c.claimed_by, "claimant"))
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
    """Mark up to `limit` rows that are due and that nobody works on. Return these columns of them, longest due
    first. `id` and `due_at` must be among the columns, and none that has to be parsed: one row that can't be read
    would keep all others from being claimed."""
    taken = await conn.execute(_claiming(table, columns), {"now": now, "claimant": claimant, "most": limit})
    return sorted(taken.all(), key=lambda row: (row.due_at, row.id))


@cache
def _releasing(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("of")).values(claimed_by=None)


async def release(conn: AsyncConnection, table: Table, row_id: str) -> None:
    """Lets others claim it again."""
    await conn.execute(_releasing(table), {"of": row_id})


async def release_all(conn: AsyncConnection, table: Table, but: Collection[str] = ()) -> None:
    """Forgets every claim but those of some rows: whoever made them is gone."""
    forgetting = update(table).where(table.c.claimed_by.is_not(None)).values(claimed_by=None)
    await conn.execute(forgetting.where(table.c.id.not_in(but)) if but else forgetting)


@cache
def _next(table: Table) -> Select[Any]:
    return (
        select(table.c.due_at)
        .where(table.c.due_at.is_not(None), table.c.claimed_by.is_(None))
        .order_by(table.c.due_at)
        .limit(1)
    )


async def next_due(conn: AsyncConnection, table: Table) -> datetime | None:
    """When the next unclaimed row is due."""
    return cast(datetime | None, await conn.scalar(_next(table)))


async def oldest(conn: AsyncConnection, table: Table, but: Collection[str]) -> tuple[str, datetime] | None:
    """The id of the row that is due first, claimed or not, and when; without the rows `but`."""
    first = select(table.c.id, table.c.due_at).where(table.c.due_at.is_not(None)).order_by(table.c.due_at).limit(1)
    row = (await conn.execute(first.where(table.c.id.not_in(but)) if but else first)).first()
    return None if row is None else (row.id, row.due_at)
