"""Column types: moments that sort, decimals that stay exact, destinations, and values stored as JSON text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator

from bot.model.message import Destination, stored_destination

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A row number. SQLite gives numbers by itself to INTEGER keys only."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, to the microsecond. On SQLite it is text of one width, which sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable(words: str) -> str:
    """`words` with what no database takes replaced: PostgreSQL has no NUL, UTF-8 no lone surrogates."""
    return words.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class SafeText(TypeDecorator[str]):
    """Text, also of others, who may send anything."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class DecimalText(TypeDecorator[Decimal]):
    """A decimal as its own text: no float and no rounding touches it. It is not for comparing or adding in SQL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class EnumText(TypeDecorator[E], Generic[E]):
    """One word of an enumeration, as text."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.words(value)


class DestinationText(TypeDecorator[Destination]):
    """A destination as its bare id or URL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Destination | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value.value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Destination | None:
        return None if value is None else stored_destination(value)


class JsonText(TypeDecorator[T], Generic[T]):
    """A value inside another, as JSON text. Decimals and durations keep every digit."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        try:
            return self._adapter.dump_json(value).decode()
        except PydanticSerializationError:  # a lone surrogate in some text
            return storable(json.dumps(self._adapter.dump_python(value, mode="json"), ensure_ascii=False))

    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self._adapter.validate_json(value)
