"""Models to rows and back. A column has the name of the field that it stores, so one function serves
every table. If the field was renamed after a release, the column has the new name as its `key`.

Statements are built once and run with named values: building one takes several times as long as running it.
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
"""The keys of an IN."""
MAX_ROWS: Any = bindparam("max_rows", type_=Integer)
"""How many rows a statement reads or removes at most."""


def values(model: BaseModel, *, without: frozenset[str] = frozenset()) -> Values:
    """Return the fields of a model as column values, except the fields in `without`."""
    return {name: getattr(model, name) for name in type(model).model_fields if name not in without}


def to_model(kind: type[M], row: Row[Any] | Mapping[Any, Any], /, **more: Any) -> M:
    """Return a row as a model, with the fields in `more`. Columns that the model doesn't have are left out."""
    mapping = row if isinstance(row, Mapping) else row._mapping
    return kind.model_validate({name: more[name] if name in more else mapping[name] for name in kind.model_fields})


def param(column: ColumnElement[Any], name: str) -> Any:
    """Return a parameter of a column's type. A plain `bindparam` takes the type of what it is compared with."""
    return bindparam(name, type_=column.type)


def listed(keys: Collection[str]) -> list[str]:
    """Return keys for an IN, one of them repeated until there are a power of two. Each number of keys is another
    statement, which a connection would have to prepare.
    """
    found = list(keys)
    return found + found[:1] * ((1 << (len(found) - 1).bit_length()) - len(found)) if found else found


def select_by(column: ColumnElement[Any], *order: Any) -> Select[Any]:
    """Select the rows whose `column` equals the parameter `key`."""
    return select(column.table).where(column == bindparam("key")).order_by(*order)


class Rows:
    """Rows that are read and written in one transaction."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def _all(self, kind: type[M], statement: Select[Any], /, **given: Any) -> list[M]:
        """Return the rows of a statement as models."""
        return [to_model(kind, row) for row in await self._conn.execute(statement, given)]

    async def _first(self, kind: type[M], statement: Select[Any], /, **given: Any) -> M | None:
        """Return the first row of a statement as a model. Return None if there is none."""
        row = (await self._conn.execute(statement, given)).first()
        return None if row is None else to_model(kind, row)


def insert_into(table: Table, dialect: str) -> Any:
    """Return an insert that can have ON CONFLICT. Each database has another one, which is loaded if it is used."""
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
    """Insert a row and return True. Return False if it conflicts with an existing row. With
    `conflict_on`, only a conflict in that column counts, and any other raises IntegrityError.
    """
    return (await conn.execute(_insert_new(table, conn.dialect.name, conflict_on), row)).rowcount == 1


async def upsert(conn: AsyncConnection, table: Table, *rows: Values) -> None:
    """Insert rows, or overwrite every column of the row that has the same primary key."""
    await conn.execute(_upsert(table, conn.dialect.name), rows)
