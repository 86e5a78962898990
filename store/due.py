"""What is due, for the tables that an engine works through: quotes and rentals."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, Table, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection


async def claim(conn: AsyncConnection, table: Table, now: datetime, claimant: str, limit: int) -> list[Row[Any]]:
    """Marks up to `limit` rows that are due and that nobody works on, and returns them, longest due first."""
    due = (
        select(table.c.id)
        .where(table.c.due_at <= now, table.c.claimed_by.is_(None))
        .order_by(table.c.due_at, table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = await conn.execute(
        update(table).where(table.c.id.in_(select(due.c.id))).values(claimed_by=claimant).returning(*table.c)
    )
    return sorted(taken.all(), key=lambda row: (row.due_at, row.id))


async def release(conn: AsyncConnection, table: Table, row_id: str) -> None:
    """Lets others claim it again."""
    await conn.execute(update(table).where(table.c.id == row_id).values(claimed_by=null()))


async def release_all(conn: AsyncConnection, table: Table) -> None:
    """Forgets every claim: whoever made them is gone."""
    await conn.execute(update(table).where(table.c.claimed_by.is_not(None)).values(claimed_by=null()))


async def next_due(conn: AsyncConnection, table: Table) -> datetime | None:
    """When the next unclaimed row is due."""
    first = (
        select(table.c.due_at)
        .where(table.c.due_at.is_not(None), table.c.claimed_by.is_(None))
        .order_by(table.c.due_at)
        .limit(1)
    )
    return cast(datetime | None, await conn.scalar(first))


async def count_due(conn: AsyncConnection, table: Table) -> int:
    """How many rows have anything due, now or later."""
    return await conn.scalar(select(func.count()).where(table.c.due_at.is_not(None))) or 0
