"""A rental to its row and back. The row has a plain column for each field of the groups (lease, ending ...)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from bot.model.money import micros
from bot.model.rental import Alarm, Blocked, Ending, Lease, Question, Rental, Waiting
from store.mapping import Values, values

_GROUPS = frozenset({"waiting", "blocked", "lease", "ending", "alarm"})
_PLAIN = frozenset(Rental.model_fields) - _GROUPS
"""The fields whose column has their name."""


def rental_values(rental: Rental) -> Values:
    """Return the values of a rental's columns, including those that no field has and only queries need."""
    waiting, blocked, lease = rental.waiting, rental.blocked, rental.lease
    ending, alarm = rental.ending, rental.alarm
    return {
        **values(rental, without=_GROUPS),
        "decider": waiting.decider if waiting else None,
        "asked_why": waiting.why if waiting else None,
        "lapses_at": waiting.expires_at if waiting else None,
        "kept_since": blocked.since if blocked else None,
        "kept_why": blocked.why if blocked else None,
        "ready_at": lease.ready_at if lease else None,
        "ends_at": lease.ends_at if lease else None,
        "latest_end": lease.latest_end if lease else None,
        "notices_checked_at": lease.notices_checked_at if lease else None,
        "seen_at": lease.seen_at if lease else None,
        "silent_until": lease.question.silent_until if lease else None,
        "promised": lease.question.promised if lease else False,
        "asked": lease.question.asked if lease else None,
        "end": ending.outcome if ending else None,
        "end_why": ending.why if ending else None,
        "end_by": ending.by if ending else None,
        "destroying_since": ending.since if ending else None,
        "alarm_at": alarm.at if alarm else None,
        "alarms": alarm.count if alarm else 0,
        "taken_on_by": alarm.taken_on_by if alarm else None,
        "live": not rental.state.over,
        "cap_micros": micros(rental.envelope.max_rate),
        "ends_from": _ends_from(rental),
    }


def rental_of(row: Row[Any]) -> Rental:
    """Return the rental of a row. Raise pydantic.ValidationError if the row can't be one."""
    return Rental(
        **{name: row._mapping[name] for name in _PLAIN},
        waiting=_waiting(row),
        blocked=Blocked(since=row.kept_since, why=row.kept_why) if row.kept_since else None,
        lease=_lease(row),
        ending=_ending(row),
        alarm=Alarm(at=row.alarm_at, count=row.alarms, taken_on_by=row.taken_on_by) if row.alarm_at else None,
    )


def rentals_of(rows: Iterable[Row[Any]]) -> list[Rental]:
    """Return the rentals of these rows."""
    return [rental_of(row) for row in rows]


def _waiting(row: Row[Any]) -> Waiting | None:
    # Rows of earlier versions keep `asked_why` after the decision.
    if row.decider is None or row.lapses_at is None:
        return None
    return Waiting(decider=row.decider, why=row.asked_why, expires_at=row.lapses_at)


def _lease(row: Row[Any]) -> Lease | None:
    if row.ready_at is None or row.ends_at is None:
        return None
    return Lease(
        ready_at=row.ready_at,
        ends_at=row.ends_at,
        latest_end=row.latest_end,
        notices_checked_at=row.notices_checked_at or row.ready_at,
        seen_at=row.seen_at or row.ready_at,
        question=Question(silent_until=row.silent_until, promised=row.promised, asked=row.asked),
    )


def _ending(row: Row[Any]) -> Ending | None:
    if row.end is None:
        return None
    return Ending(outcome=row.end, why=row.end_why, by=row.end_by, since=row.destroying_since)


def _ends_from(rental: Rental) -> datetime | None:
    """Return the end that `Overdue.past_end` compares. Return None if the rental is over and nothing is due."""
    if rental.state.over and rental.due_at is None:
        return None
    destroying_since = rental.ending.since if rental.ending else None
    ends_at = rental.lease.ends_at if rental.lease else None
    return rental.over_at or destroying_since or ends_at or rental.accepted_at or rental.created_at
