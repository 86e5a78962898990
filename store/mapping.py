"""Between models and rows: a column has the name of the field that it keeps, so one helper serves all.

Statements are built once and run with values by name: building one anew costs several times what running it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

M = TypeVar("M", bound=BaseModel)

Values = dict[str, Any]

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""Those that can say what to do on a conflict; both databases spell it alike."""


def values(model: BaseModel, *, without: frozenset[str] = frozenset()) -> Values:
    """A model's fields as column values."""
    return {name: getattr(model, name) for name in type(model).model_fields if name not in without}


def model(kind: type[M], row: Row[Any] | Mapping[str, Any]) -> M:
    """A row as a model; columns that the model doesn't have are left out."""
    mapping = row if isinstance(row, Mapping) else row._mapping
    return kind.model_validate({name: mapping[name] for name in kind.model_fields})


def models(kind: type[M], rows: Iterable[Row[Any]]) -> list[M]:
    """Rows as models."""
    return [model(kind, row) for row in rows]


def given(column: ColumnElement[Any], name: str) -> Any:
    """A value of a column's type that is named when a statement is run."""
    return bindparam(name, type_=column.type)


def by(column: ColumnElement[Any], *order: Any) -> Select[Any]:
    """All columns of the rows whose `column` is the value named `of`."""
    return select(column.table).where(column == given(column, "of")).order_by(*order)


async def first(conn: AsyncConnection, kind: type[M], statement: Select[Any], of: Any) -> M | None:
    """The first row that `by` finds, as a model."""
    row = (await conn.execute(statement, {"of": of})).first()
    return None if row is None else model(kind, row)


@cache
def _adding(table: Table, dialect: str, unless: str | None) -> Any:
    return _INSERTS[dialect](table).on_conflict_do_nothing(index_elements=[unless] if unless else None)


@cache
def _putting(table: Table, dialect: str) -> Any:
    insert = _INSERTS[dialect](table)
    changed = {column.name: insert.excluded[column.name] for column in table.c if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


async def add_new(conn: AsyncConnection, table: Table, row: Values, *, unless: str | None = None) -> bool:
    """Inserts a row and says whether it did. It does not where a row is there that excludes it, for any reason
    or, with `unless`, by having the same value in that column."""
    return (await conn.execute(_adding(table, conn.dialect.name, unless), row)).rowcount == 1


async def put(conn: AsyncConnection, table: Table, row: Values) -> None:
    """Inserts a row with all its columns, or makes the one with its primary key equal to it."""
    await conn.execute(_putting(table, conn.dialect.name), row)
