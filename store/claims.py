"""Due rows and claims on them, in the tables that loops work through: quotes, rentals and visits.

A claim has a holder and an end. The end is in the database's real time (on SQLite that of this machine): all
holders compare it with one clock, which no test and no sandbox moves.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Interval,
    Row,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports.due import Claimed
from store.mapping import param, to_models

C = TypeVar("C", bound=Claimed)

FREE: dict[str, Any] = {"claimed_by": None, "claimed_until": None}
"""The values of a row without a claim."""


def _key(table: Table) -> ColumnElement[Any]:
    """Return the one column of a table's primary key."""
    (key,) = table.primary_key
    return key


def held(table: Table) -> ColumnElement[bool]:
    """Return whether the parameter `holder` holds the claim on a row, also past its end."""
    same: ColumnElement[bool] = table.c.claimed_by == param(table.c.claimed_by, "holder")
    return same


def _now(dialect: str) -> ColumnElement[Any]:
    # The milliseconds with three zeros: the text has the same width as that of a UtcDateTime.
    return func.clock_timestamp() if dialect == "postgresql" else func.strftime("%Y-%m-%d %H:%M:%f000", "now")


def _end(dialect: str) -> ColumnElement[Any]:
    """Return the time that is the parameter `lasts` from now."""
    if dialect == "postgresql":
        return func.clock_timestamp() + bindparam("lasts", type_=Interval)
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", bindparam("lasts", type_=Text))


def _lasts(dialect: str, seconds: float) -> timedelta | str:
    return timedelta(seconds=seconds) if dialect == "postgresql" else f"+{seconds:.3f} seconds"


def _free(table: Table, dialect: str) -> ColumnElement[bool]:
    return or_(table.c.claimed_until.is_(None), table.c.claimed_until <= _now(dialect))


def _others(table: Table, some_left_out: bool) -> ColumnElement[bool]:
    """Return whether a row is not one of the parameter `without`."""
    return _key(table).not_in(bindparam("without", expanding=True)) if some_left_out else true()


@cache
def _claim(table: Table, columns: tuple[ColumnElement[Any], ...], dialect: str, *, some_left_out: bool) -> Any:
    key = _key(table)
    due = (
        select(key.label("key"))
        .where(
            table.c.due_at <= param(table.c.due_at, "now"),
            _free(table, dialect),
            _others(table, some_left_out),
        )
        .order_by(table.c.due_at, key)
        .limit(bindparam("max_rows"))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(table)
        .where(key.in_(select(due.c.key)))
        .values(claimed_by=param(table.c.claimed_by, "holder"), claimed_until=_end(dialect))
        .returning(*columns)
    )


async def claim(
    conn: AsyncConnection,
    table: Table,
    kind: type[C],
    columns: tuple[ColumnElement[Any], ...],
    now: datetime,
    *,
    holder: str,
    limit: int,
    seconds: float,
    without: Collection[str],
) -> list[C]:
    """Claim up to `limit` rows that are due and free for that many real seconds, except the rows `without`. Return
    them as `kind`, made of their `columns`, longest due first.

    No column may need parsing, because one row that can't be parsed would block the claims of all others.
    """
    dialect = conn.dialect.name
    values = {"now": now, "holder": holder, "max_rows": limit, "lasts": _lasts(dialect, seconds)}
    statement = _claim(table, columns, dialect, some_left_out=bool(without))
    claimed: list[Row[Any]] = list((await conn.execute(statement, _with(values, without))).all())
    return to_models(kind, sorted(claimed, key=lambda row: (row.due_at, row.id)))


def _with(values: dict[str, Any], without: Collection[str]) -> dict[str, Any]:
    return {**values, "without": list(without)} if without else values


@cache
def _renew(table: Table, dialect: str) -> Any:
    key = _key(table)
    return (
        update(table)
        .where(key.in_(bindparam("keys", expanding=True)), held(table))
        .values(claimed_until=_end(dialect))
        .returning(key)
    )


async def renew(
    conn: AsyncConnection, table: Table, row_ids: Collection[str], *, holder: str, seconds: float
) -> set[str]:
    """Let the holder's claims on these rows last for that many real seconds from now on. Return their rows."""
    dialect = conn.dialect.name
    values = {"keys": list(row_ids), "holder": holder, "lasts": _lasts(dialect, seconds)}
    return set((await conn.execute(_renew(table, dialect), values)).scalars())


@cache
def _release(table: Table) -> Update:
    return update(table).where(_key(table) == bindparam("key"), held(table)).values(FREE)


async def release(conn: AsyncConnection, table: Table, row_id: str, *, holder: str) -> None:
    """End the holder's claim on a row."""
    await conn.execute(_release(table), {"key": row_id, "holder": holder})


@cache
def _defer(table: Table) -> Update:
    next_due = param(table.c.due_at, "next_due")
    return update(table).where(_key(table) == bindparam("key"), held(table)).values({**FREE, "due_at": next_due})


async def defer(conn: AsyncConnection, table: Table, row_id: str, due_at: datetime, *, holder: str) -> bool:
    """End the holder's claim on a row and set when it is next due. Return False if the holder has no claim on
    it."""
    values = {"key": row_id, "holder": holder, "next_due": due_at}
    return (await conn.execute(_defer(table), values)).rowcount == 1


async def end_all(conn: AsyncConnection, table: Table) -> None:
    """End every claim on what is due, of all holders. Use it only while no other process works."""
    claimed = and_(table.c.due_at.is_not(None), table.c.claimed_until.is_not(None))
    await conn.execute(update(table).where(claimed).values(FREE))


@cache
def _next_due(table: Table, dialect: str, *, some_left_out: bool, claimed: bool) -> Select[Any]:
    free = true() if claimed else _free(table, dialect)
    return (
        select(table.c.due_at)
        .where(table.c.due_at.is_not(None), free, _others(table, some_left_out))
        .order_by(table.c.due_at)
        .limit(1)
    )


async def next_due(
    conn: AsyncConnection, table: Table, without: Collection[str], *, claimed: bool
) -> datetime | None:
    """Return when the first free row is due, except the rows `without`; if `claimed`, also rows with a claim.
    Return None if there is none."""
    statement = _next_due(table, conn.dialect.name, some_left_out=bool(without), claimed=claimed)
    return cast(datetime | None, await conn.scalar(statement, _with({}, without)))


async def oldest_due(conn: AsyncConnection, table: Table, without: Collection[str]) -> tuple[str, datetime] | None:
    """Return the id and the due time of the row that is due first, claimed or not, except the rows `without`."""
    first = select(table.c.id, table.c.due_at).where(table.c.due_at.is_not(None)).order_by(table.c.due_at).limit(1)
    row = (await conn.execute(first.where(table.c.id.not_in(without)) if without else first)).first()
    return None if row is None else (row.id, row.due_at)
