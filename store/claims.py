"""Claims, with which a process reserves due rows for itself so that no other process works on them.

The rows of several tables have a due time: quotes, shared searches, rentals, probe runs and jobs. For each of
these tables, a loop works on the rows that are due. The class `Jobs` is in this module because a job's row
consists only of a due time and a claim.

A claim belongs to a holder (one run of a process) and expires after some time. The expiry follows the database
server's clock, so that all processes use the same clock. With SQLite, it follows this machine's clock. Tests and
the sandbox can set the bot's clock, but this has no effect on claims.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Interval,
    Select,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    func,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.records import Claimed
from store.mapping import MAX_ROWS, Rows, insert_new, listed, param, to_model
from store.tables import jobs

C = TypeVar("C", bound=Claimed)

FREE: dict[str, Any] = {"claimed_by": None, "claimed_until": None}
"""The column values of a row that no process has claimed (reserved to work on)."""


def _key(table: Table) -> ColumnElement[Any]:
    (key,) = table.primary_key
    return key


def held(table: Table) -> ColumnElement[bool]:
    """Build the SQL condition that the claim on a row belongs to the parameter `holder`.

    The condition is also true if the claim has expired.
    """
    same: ColumnElement[bool] = table.c.claimed_by == bindparam("holder")
    return same


def _now(dialect: str) -> ColumnElement[Any]:
    # The database compares times as text. SQLite returns times with three decimal places, but `UtcDateTime` stores
    # six. Append three zeros, so that the texts have the same length.
    return func.clock_timestamp() if dialect == "postgresql" else func.strftime("%Y-%m-%d %H:%M:%f000", "now")


def _end(dialect: str) -> ColumnElement[Any]:
    """Build the SQL expression for the time at which a new claim expires: now plus the parameter `lasts`."""
    if dialect == "postgresql":
        return func.clock_timestamp() + bindparam("lasts", type_=Interval)
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", bindparam("lasts", type_=Text))


def _lasts(dialect: str, seconds: float) -> timedelta | str:
    return timedelta(seconds=seconds) if dialect == "postgresql" else f"+{seconds:.3f} seconds"


def _free(table: Table, dialect: str) -> ColumnElement[bool]:
    return or_(table.c.claimed_until.is_(None), table.c.claimed_until <= _now(dialect))


def _others(table: Table, some_left_out: bool) -> ColumnElement[bool]:
    """Build the SQL condition that skips the rows whose keys are listed in the parameter `without`."""
    return _key(table).not_in(bindparam("without", expanding=True)) if some_left_out else true()


@cache
def _claim(table: Table, columns: tuple[ColumnElement[Any], ...], dialect: str, *, some_left_out: bool) -> Any:
    key = _key(table)
    due = (
        select(key.label("key"))
        .where(table.c.due_at <= bindparam("now"), _free(table, dialect), _others(table, some_left_out))
        .order_by(table.c.due_at, key)
        .limit(MAX_ROWS)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(table)
        .where(key.in_(select(due.c.key)))
        .values(claimed_by=bindparam("holder"), claimed_until=_end(dialect))
        .returning(*(columns or (key.label("id"), table.c.due_at)))
    )


def _with(values: dict[str, Any], without: Collection[str]) -> dict[str, Any]:
    return {**values, "without": listed(without)} if without else values


@cache
def _renew(table: Table, dialect: str) -> Any:
    key = _key(table)
    return (
        update(table)
        .where(key.in_(bindparam("keys", expanding=True)), held(table))
        .values(claimed_until=_end(dialect))
        .returning(key)
    )


@cache
def _hold(table: Table) -> Select[Any]:
    return select(_key(table)).where(_key(table) == bindparam("key"), held(table)).with_for_update(read=True)


@cache
def _held_by_another(table: Table, dialect: str) -> Select[Any]:
    return select(_key(table)).where(
        _key(table) == bindparam("key"), not_(or_(held(table), _free(table, dialect)))
    )


@cache
def _release(table: Table) -> Update:
    return update(table).where(_key(table) == bindparam("key"), held(table)).values(FREE)


@cache
def _defer(table: Table) -> Update:
    next_due = param(table.c.due_at, "next_due")
    return update(table).where(_key(table) == bindparam("key"), held(table)).values({**FREE, "due_at": next_due})


@cache
def _end_all(table: Table) -> Update:
    claimed = and_(table.c.due_at.is_not(None), table.c.claimed_until.is_not(None))
    return update(table).where(claimed).values(FREE)


async def end_all(conn: AsyncConnection, table: Table) -> None:
    """End the claims of all processes on due rows. Call this only while no other process is working."""
    await conn.execute(_end_all(table))


@cache
def _next_due(table: Table, dialect: str, *, some_left_out: bool, claimed: bool) -> Select[Any]:
    free = true() if claimed else _free(table, dialect)
    return (
        select(table.c.due_at)
        .where(table.c.due_at.is_not(None), free, _others(table, some_left_out))
        .order_by(table.c.due_at)
        .limit(1)
    )


@cache
def _oldest_due(table: Table, dialect: str, *, some_left_out: bool) -> Select[Any]:
    of_nobody_else = or_(_free(table, dialect), held(table))
    return (
        select(table.c.id, table.c.due_at)
        .where(table.c.due_at.is_not(None), of_nobody_else, _others(table, some_left_out))
        .order_by(table.c.due_at)
        .limit(1)
    )


class DueTable(Rows, Generic[C]):
    """A table of rows with a due time (`due_at`), and the claims on these rows.

    A claim is a process's exclusive right to work on a row. A row is free if it has no claim or its claim has
    expired.
    """

    _table: Table
    _kind: type[C]
    """The model of a row that a process has claimed."""
    _columns: tuple[ColumnElement[Any], ...] = ()
    """The columns to read, if `_kind` has more fields than the ID and due time of `Claimed`.

    The values must be usable without parsing. Otherwise, a single row with an invalid value would prevent all
    other rows from being claimed.
    """

    def __init__(self, conn: AsyncConnection, holder: str) -> None:
        super().__init__(conn)
        self._holder = holder

    async def claim(self, now: datetime, limit: int, seconds: float, *, without: Collection[str] = ()) -> list[C]:
        """Claim due rows that are free: reserve them for this process for `seconds` of wall-clock time.

        Returns at most `limit` rows, starting with the one that has been due longest. Skips the rows in `without`.
        """
        dialect = self._conn.dialect.name
        values = {"now": now, "holder": self._holder, "max_rows": limit, "lasts": _lasts(dialect, seconds)}
        statement = _claim(self._table, self._columns, dialect, some_left_out=bool(without))
        claimed = await self._conn.execute(statement, _with(values, without))
        return [to_model(self._kind, row) for row in sorted(claimed, key=lambda row: (row.due_at, row.id))]

    async def renew(self, row_ids: Collection[str], seconds: float) -> set[str]:
        """Extend this process's claims on these rows to `seconds` of wall-clock time from now.

        Returns the IDs of the rows that this process still has claims on.
        """
        dialect = self._conn.dialect.name
        values = {"keys": listed(row_ids), "holder": self._holder, "lasts": _lasts(dialect, seconds)}
        return set((await self._conn.execute(_renew(self._table, dialect), values)).scalars())

    async def defer(self, row: C, due_at: datetime) -> bool:
        """Release this process's claim on a row, and set the time at which the row is next due.

        If another process has claimed the row in the meantime, or the row was removed, nothing changes. The result
        is then False.
        """
        values = {"key": row.id, "holder": self._holder, "next_due": due_at}
        return (await self._conn.execute(_defer(self._table), values)).rowcount == 1

    async def hold(self, row_id: str) -> bool:
        """Return whether this process was the last one to claim a row and hasn't released the claim.

        The result is True even if the claim has expired since then. If it is True, the row stays locked until this
        transaction ends, so that no other process can claim the row.
        """
        # A SQLite database is used by one process only, so no other process can have the claim, the exclusive
        # right to work on this row.
        if self._conn.dialect.name == "sqlite":
            return True
        return await self._conn.scalar(_hold(self._table), {"key": row_id, "holder": self._holder}) is not None

    async def release(self, row_id: str) -> None:
        """Give up this process's claim, the exclusive right to work on a row."""
        await self._conn.execute(_release(self._table), {"key": row_id, "holder": self._holder})

    async def held_by_another(self, row_id: str) -> bool:
        """Return whether another process has an unexpired claim on a row."""
        statement = _held_by_another(self._table, self._conn.dialect.name)
        return await self._conn.scalar(statement, {"key": row_id, "holder": self._holder}) is not None

    async def next_due(self, *, without: Collection[str] = (), claimed: bool = False) -> datetime | None:
        """Return the earliest due time of all rows that are free, or None if there are none.

        Args:
            without: IDs of rows to ignore.
            claimed: Whether rows that are claimed are considered too.
        """
        dialect = self._conn.dialect.name
        statement = _next_due(self._table, dialect, some_left_out=bool(without), claimed=claimed)
        return cast(datetime | None, await self._conn.scalar(statement, _with({}, without)))


async def oldest_due(
    conn: AsyncConnection, table: Table, holder: str, without: Collection[str]
) -> tuple[str, datetime] | None:
    """Return the ID and due time of the row that has been due longest.

    Rows in `without` and rows that another process has claimed are ignored. None if no row is left.
    """
    statement = _oldest_due(table, conn.dialect.name, some_left_out=bool(without))
    row = (await conn.execute(statement, _with({"holder": holder}, without))).first()
    return None if row is None else (row.id, row.due_at)


_DUE_LATER = update(jobs).where(jobs.c.id == bindparam("key"), jobs.c.due_at > bindparam("at"))
_BRING_FORWARD = _DUE_LATER.values(due_at=bindparam("at"))


class Jobs(DueTable[Claimed]):
    """The scheduled jobs, including message delivery. Only one process at a time works on each job."""

    _table, _kind = jobs, Claimed

    async def begin(self, name: str, due_at: datetime) -> None:
        """Schedule a job for the first time. Does nothing if the job is already stored."""
        await insert_new(self._conn, jobs, {"id": name, "due_at": due_at, **FREE})

    async def bring_forward(self, name: str, at: datetime) -> None:
        """Make a job due at the time `at`. Does nothing if the job is already due earlier, or isn't stored."""
        await self._conn.execute(_BRING_FORWARD, {"key": name, "at": at})
