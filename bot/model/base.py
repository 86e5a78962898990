"""The base class of all models. Models are frozen, and an unknown field is treated as a bug."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

M = TypeVar("M", bound=BaseModel)


class Frozen(BaseModel):
    """A value object: compared by content and never modified. Use `changed` to get a copy with other values."""

    # Build the validator of a model on its first use. Building all validators at import would take 5% of the
    # start-up time. If a field was renamed after a release, its alias is the earlier name, because the database
    # still contains that name.
    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, serialize_by_alias=True, validate_by_name=True
    )


class Summed(Frozen):
    """A group of numbers. Two groups are added field by field."""

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields})


def changed(model: M, /, **fields: Any) -> M:
    """Return a copy of `model` with new values for the given fields.

    Values aren't converted. Raises pydantic.ValidationError if a field is unknown or a value has the wrong type.
    """
    # Don't use dict(model). If a model has a field named `keys`, dict() assumes that this field is the method
    # `keys` of a mapping, and calls it.
    return type(model).model_validate({**dict(iter(model)), **fields}, strict=True)


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo is UTC else value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment in time, always in UTC. Datetimes without a time zone are refused."""

EVER = datetime.min.replace(tzinfo=UTC)
"""The earliest possible time. Used as `not_before`, it means "at any time"."""
