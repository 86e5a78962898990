"""The transition table: the one place that says what may follow what. docs/lifecycle.md draws it."""

from __future__ import annotations

from typing import Any

from bot.model.rental import Rental
from bot.model.state import State

S = State

STARTS = frozenset({S.AWAITING_APPROVAL, S.PROCURING})

TRANSITIONS: dict[State, frozenset[State]] = {
    S.AWAITING_APPROVAL: frozenset(
        {S.PROCURING, S.DENIED, S.LAPSED, S.WITHDRAWN, S.AWAITING_APPROVAL, S.DESTROYING}
    ),
    S.PROCURING: frozenset({S.PROVISIONING, S.DESTROYING, S.AWAITING_APPROVAL}),
    S.PROVISIONING: frozenset({S.READY, S.PROCURING, S.DESTROYING}),
    S.READY: frozenset({S.DESTROYING, S.LOST}),
    S.DESTROYING: frozenset(
        {S.DESTROYED, S.FAILED, S.CANCELLED, S.LOST, S.DENIED, S.LAPSED, S.WITHDRAWN},
    ),
    S.DESTROYED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
    S.LOST: frozenset(),
    S.DENIED: frozenset(),
    S.LAPSED: frozenset(),
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
    return rental.model_copy(update={**changes, "state": to, "version": rental.version + 1})


def alter(rental: Rental, **changes: Any) -> Rental:
    """The next version of `rental` in the same state."""
    return rental.model_copy(update={**changes, "version": rental.version + 1})


def end(rental: Rental, to: State, **changes: Any) -> Rental:
    """Ends a rental of which nothing is alive. Where it had attempts it passes through `destroying` unseen, so
    that only the end is told."""
    via = rental if to in TRANSITIONS[rental.state] else move(rental, State.DESTROYING)
    ended = move(via, to, due_at=None, **changes)
    return ended.model_copy(update={"version": rental.version + 1})
