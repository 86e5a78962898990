"""Converts models to rows and back.

A column has the same name as the field that it stores, so that one function serves every table. If a field was
renamed after a release, its column keeps the old name in the database and has the new one as its `key`.

Statements are built once and run with named parameters, because building a statement takes several times as long
as running it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Integer, Row, Select, Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

M = TypeVar("M", bound=BaseModel)

Values = dict[str, Any]

IDS: Any = bindparam("ids", expanding=True)
"""The parameter of an IN clause that lists the keys to look for."""
MAX_ROWS: Any = bindparam("max_rows", type_=Integer)
"""The parameter for the maximum number of rows that a statement reads or removes."""


def values(model: BaseModel, *, without: frozenset[str] = frozenset()) -> Values:
    """Return the fields of a model as column values, except the fields in `without`."""
    return {name: getattr(model, name) for name in type(model).model_fields if name not in without}


def to_model(kind: type[M], row: Row[Any] | Mapping[Any, Any], /, **more: Any) -> M:
    """Build a model from a row.

    `more` contains further fields, which take precedence over the row. Columns that the model doesn't have are
    ignored.
    """
    mapping = row if isinstance(row, Mapping) else row._mapping
    return kind.model_validate({name: more[name] if name in more else mapping[name] for name in kind.model_fields})


def param(column: ColumnElement[Any], name: str) -> Any:
    """Create a parameter with the type of a column.

    A plain `bindparam` takes the type of the expression that it is compared with. That type can differ from the
    type of the column.
    """
    return bindparam(name, type_=column.type)


def listed(keys: Collection[str]) -> list[str]:
    """Repeat the first key of an IN clause until the number of keys is a power of two.

    Each different number of keys needs a statement of its own, which every connection has to prepare. Padding
    keeps the number of statements small.
    """
    found = list(keys)
    return found + found[:1] * ((1 << (len(found) - 1).bit_length()) - len(found)) if found else found


def select_by(column: ColumnElement[Any], *order: Any) -> Select[Any]:
    """Build a query for the rows whose `column` equals the parameter `key`."""
    return select(column.table).where(column == bindparam("key")).order_by(*order)


class Rows:
    """Base class of the objects that read and write tables within one transaction."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def _all(self, kind: type[M], statement: Select[Any], /, **given: Any) -> list[M]:
        """Run a statement, and return its rows as models."""
        return [to_model(kind, row) for row in await self._conn.execute(statement, given)]

    async def _first(self, kind: type[M], statement: Select[Any], /, **given: Any) -> M | None:
        """Run a statement, and return its first row as a model, or None if there are no rows."""
        row = (await self._conn.execute(statement, given)).first()
        return None if row is None else to_model(kind, row)


def insert_into(table: Table, dialect: str) -> Any:
    """Build an INSERT that supports ON CONFLICT.

    SQLAlchemy has a separate class for each kind of database. Only the class for the current kind is imported.
    """
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


@cache
def _insert_new(table: Table, dialect: str, conflict_on: str | None) -> Any:
    columns = None if conflict_on is None else [conflict_on]
    return insert_into(table, dialect).on_conflict_do_nothing(index_elements=columns)


@cache
def _upsert(table: Table, dialect: str) -> Any:
    insert = insert_into(table, dialect)
    columns = {column.key: insert.excluded[column.key] for column in table.c if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=columns)


async def insert_new(conn: AsyncConnection, table: Table, row: Values, *, conflict_on: str | None = None) -> bool:
    """Insert a row unless it conflicts with an existing one, and return whether it was inserted.

    If `conflict_on` is given, only a conflict in that column is accepted. Any other conflict raises
    IntegrityError.
    """
    return (await conn.execute(_insert_new(table, conn.dialect.name, conflict_on), row)).rowcount == 1


async def upsert(conn: AsyncConnection, table: Table, *rows: Values) -> None:
    """Insert rows, overwriting all columns of existing rows with the same primary key."""
    await conn.execute(_upsert(table, conn.dialect.name), rows)
