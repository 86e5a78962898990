"""Column types: sortable times, exact decimals, safe text, enumerations, destinations and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator
from typing_extensions import override

from bot.model.message import Destination, stored_destination

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""The type of row numbers.

On SQLite it is INTEGER, because SQLite generates numbers only for keys of this type.
"""


class UtcDateTime(TypeDecorator[datetime]):
    """A time-zone-aware time in UTC, to the microsecond.

    On SQLite it is stored as text of a fixed width, so that sorting the text sorts by time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable(text: str) -> str:
    """Replace the characters that a database would reject.

    PostgreSQL can't store NUL in text, and UTF-8 can't encode lone surrogates.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class SafeText(TypeDecorator[str]):
    """Untrusted text, stored without the characters that a database would reject."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class DecimalText(TypeDecorator[Decimal]):
    """A decimal stored as text, so that it is never rounded. SQL must not compare or add values of this type."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class EnumText(TypeDecorator[E], Generic[E]):
    """A member of an enumeration, stored as its value."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        super().__init__()
        self.enum = enum

    @override
    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        return None if value is None else self.enum(value).value

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.enum(value)


class DestinationText(TypeDecorator[Destination]):
    """The destination of a message, stored as an ID or a URL."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: Destination | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value.value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Destination | None:
        return None if value is None else stored_destination(value)


class JsonText(TypeDecorator[T], Generic[T]):
    """A nested value stored as JSON text. Decimals and durations keep every digit."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    @override
    def process_bind_param(self, value: T | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        try:
            return self._adapter.dump_json(value).decode()
        except PydanticSerializationError:  # a text in the value has a lone surrogate, which isn't valid in UTF-8
            return storable(json.dumps(self._adapter.dump_python(value, mode="json"), ensure_ascii=False))

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self._adapter.validate_json(value)
