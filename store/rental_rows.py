"""Turns a rental into its row and back. A field of a group (lease, ending ...) has a column with both names:
`lease_ends_at`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, RowMapping

from bot.model.base import Frozen
from bot.model.money import micros
from bot.model.rental import Alarm, Blocked, Ending, Lease, Rental, Waiting
from store.mapping import Values, values

_GROUPS: dict[str, type[Frozen]] = {
    "waiting": Waiting,
    "blocked": Blocked,
    "lease": Lease,
    "ending": Ending,
    "alarm": Alarm,
}
_COLUMNS = {group: [(field, f"{group}_{field}") for field in kind.model_fields] for group, kind in _GROUPS.items()}
"""The fields of each group with their columns. The first field is required, so if its column is null, the rental
has no such group."""
_PLAIN = frozenset(Rental.model_fields) - _GROUPS.keys()
"""The fields whose column has the field's name."""


def rental_values(rental: Rental) -> Values:
    """Return the values of a rental's columns, including columns that only queries need."""
    found = values(rental, without=frozenset(_GROUPS))
    for name, columns in _COLUMNS.items():
        group = getattr(rental, name)
        for field, column in columns:
            found[column] = None if group is None else getattr(group, field)
    return {
        **found,
        "live": not rental.state.over,
        "cap_micros": micros(rental.envelope.max_rate),
        "ends_from": _ends_from(rental),
    }


def rental_of(row: Row[Any]) -> Rental:
    """Return the rental of a row. Raise pydantic.ValidationError if the row can't be one."""
    fields = row._mapping
    return Rental(**{name: fields[name] for name in _PLAIN}, **{name: _group(name, fields) for name in _GROUPS})


def rentals_of(rows: Iterable[Row[Any]]) -> list[Rental]:
    """Return the rentals of these rows."""
    return [rental_of(row) for row in rows]


def _group(name: str, fields: RowMapping) -> Frozen | None:
    columns = _COLUMNS[name]
    if fields[columns[0][1]] is None:
        return None
    return _GROUPS[name](**{field: fields[column] for field, column in columns})


def _ends_from(rental: Rental) -> datetime | None:
    """Return the end that `Overdue.past_end` compares. Return None if the rental is over and nothing is due."""
    if rental.state.over and rental.due_at is None:
        return None
    destroying_since = rental.ending.since if rental.ending else None
    ends_at = rental.lease.ends_at if rental.lease else None
    return rental.over_at or destroying_since or ends_at or rental.accepted_at or rental.created_at
