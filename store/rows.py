"""Between models and rows: a column has the name of the field that it keeps, so one helper serves all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

M = TypeVar("M", bound=BaseModel)

Values = dict[str, Any]


def values(model: BaseModel, *, without: frozenset[str] = frozenset()) -> Values:
    """A model's fields as column values."""
    return {name: getattr(model, name) for name in type(model).model_fields if name not in without}


def model(kind: type[M], row: Row[Any] | Mapping[str, Any]) -> M:
    """A row as a model; columns that the model doesn't have are left out."""
    mapping = row if isinstance(row, Mapping) else row._mapping
    return kind.model_validate({name: mapping[name] for name in kind.model_fields})


def insert(conn: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do on a conflict; both databases spell it alike."""
    return sqlite.insert(table) if conn.dialect.name == "sqlite" else postgresql.insert(table)
