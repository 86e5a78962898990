"""The transition table: the one place that says what may follow what. docs/lifecycle.md draws it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from bot.model.attempt import Attempt, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AccruedCost

S = State

STARTS = frozenset({S.AWAITING_APPROVAL, S.PROCURING})

TRANSITIONS: dict[State, frozenset[State]] = {
    S.AWAITING_APPROVAL: frozenset(
        {S.PROCURING, S.DENIED, S.EXPIRED, S.WITHDRAWN, S.AWAITING_APPROVAL, S.DESTROYING}
    ),
    S.PROCURING: frozenset({S.PROVISIONING, S.DESTROYING, S.AWAITING_APPROVAL}),
    S.PROVISIONING: frozenset({S.READY, S.PROCURING, S.DESTROYING}),
    S.READY: frozenset({S.DESTROYING, S.LOST}),
    S.DESTROYING: frozenset(
        {S.DESTROYED, S.FAILED, S.CANCELLED, S.LOST, S.DENIED, S.EXPIRED, S.WITHDRAWN},
    ),
    S.DESTROYED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
    S.LOST: frozenset(),
    S.DENIED: frozenset(),
    S.EXPIRED: frozenset(),
    S.WITHDRAWN: frozenset(),
}


class ForbiddenTransition(Exception):
    """A bug: the code asked for a transition that the table doesn't have."""


def check(before: State | None, after: State) -> None:
    """Raises ForbiddenTransition unless `after` may follow `before` (None: a new rental). Staying is allowed."""
    allowed = after in STARTS if before is None else before == after or after in TRANSITIONS[before]
    if not allowed:
        raise ForbiddenTransition(f"{before} -> {after}")


def move(rental: Rental, to: State, **changes: Any) -> Rental:
    """The next version of `rental`, in state `to`. Raises ForbiddenTransition."""
    check(rental.state, to)
    return changed(rental, **changes, state=to, version=rental.version + 1)


def alter(rental: Rental, **changes: Any) -> Rental:
    """The next version of `rental` in the same state."""
    return changed(rental, **changes, version=rental.version + 1)


def end_now(rental: Rental, to: State, **changes: Any) -> Rental:
    """Ends a rental of which nothing is alive. Where it had attempts it passes through `destroying` unseen, so
    that only the end is told."""
    via = rental if to in TRANSITIONS[rental.state] else move(rental, State.DESTROYING)
    ended = move(via, to, due_at=None, **changes)
    return changed(ended, version=rental.version + 1)


def known_bill(bill: AccruedCost, attempts: Iterable[Attempt]) -> dict[str, Any]:
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
    bill: AccruedCost,
    why: Why | None = None,
    by: str | None = None,
) -> tuple[Rental, tuple[Event, ...]]:
    """The rental ended, or being destroyed towards `end`, with the event that tells it."""
    facts = Facts(end=end, why=why, **known_bill(bill, attempts))
    fresh = {"end": end, "end_why": why, "end_by": by, "lapses_at": None, "decider": None, "extension": None}
    if all(attempt.settled for attempt in attempts):
        after = end_now(rental, end, **fresh, over_at=at)
        kind = EventKind.ENDED
    else:
        after = move(rental, State.DESTROYING, **fresh, destroying_since=at, alarm_at=None, due_at=at)
        kind = EventKind.DESTROYING
    return after, (Event(rental_id=rental.id, kind=kind, at=at, actor=by, facts=facts),)
