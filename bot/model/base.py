"""The base of all models. Models are frozen, and an unknown field is a bug."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

M = TypeVar("M", bound=BaseModel)


class Frozen(BaseModel):
    """A value that is compared by content and never changed in place. `changed` makes a copy with other values."""

    # A validator is built when it is first needed: building all of them at once takes a twentieth of a start.
    # A stored field that was renamed after a release keeps its earlier name as an alias.
    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, serialize_by_alias=True, validate_by_name=True
    )


class Summed(Frozen):
    """Numbers that are added field by field."""

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields})


def changed(model: M, /, **fields: Any) -> M:
    """Return a copy of `model` with other values in `fields`.

    Raise pydantic.ValidationError if a field is unknown or a value has the wrong type; no value is converted.
    """
    # Not dict(model): dict() would take a model with a field `keys` for a mapping, and call that field.
    return type(model).model_validate({**dict(iter(model)), **fields}, strict=True)


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo is UTC else value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment. Always in UTC; a datetime without a time zone is refused."""

EVER = datetime.min.replace(tzinfo=UTC)
"""The earliest time. As `not_before` it means: at any time."""
