"""How a rental comes to its end: at once where nothing of it is alive, else through destruction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from bot.lifecycle import machine
from bot.model.attempt import Attempt, Why
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.story import Spent


def known_bill(bill: Spent, attempts: Iterable[Attempt]) -> dict[str, Any]:
    """`amount` and `estimated` of Facts. Both are None if nothing has billed yet but an attempt still may: the
    event must not say that it cost nothing."""
    known = bool(bill.amount) or all(attempt.settled for attempt in attempts)
    return {"amount": bill.amount, "estimated": bill.estimated} if known else {"amount": None, "estimated": None}


def finish(
    rental: Rental,
    end: State,
    *,
    attempts: Collection[Attempt],
    at: datetime,
    bill: Spent,
    why: Why | None = None,
    by: str | None = None,
) -> tuple[Rental, tuple[Event, ...]]:
    """The rental ended, or being destroyed towards `end`, with the event that tells it."""
    facts = Facts(end=end, why=why, **known_bill(bill, attempts))
    fresh = {"end": end, "end_why": why, "end_by": by, "lapses_at": None, "decider": None, "extension": None}
    if all(attempt.settled for attempt in attempts):
        after = machine.end(rental, end, **fresh, over_at=at)
        kind = EventKind.ENDED
    else:
        after = machine.move(rental, State.DESTROYING, **fresh, destroying_since=at, alarm_at=None, due_at=at)
        kind = EventKind.DESTROYING
    return after, (Event(rental_id=rental.id, kind=kind, at=at, actor=by, facts=facts),)
