"""The states of a rental, and the table of the transitions between them. docs/lifecycle.md draws it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How far a rental is."""

    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    """Nothing is bought until an offer fits, or until its start time."""
    PROCURING = "procuring"
    PROVISIONING = "provisioning"
    READY = "ready"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def over(self) -> bool:
        """Whether no other state can follow."""
        return self in ENDS


UNBOUGHT = frozenset({State.AWAITING_APPROVAL, State.QUEUED})
"""Nothing is being bought: somebody decides first, or an offer has to appear first."""

ENDS = frozenset(
    {
        State.DESTROYED,
        State.FAILED,
        State.CANCELLED,
        State.LOST,
        State.DENIED,
        State.EXPIRED,
        State.WITHDRAWN,
    }
)

STARTS = frozenset({State.AWAITING_APPROVAL, State.QUEUED, State.PROCURING, State.READY})
"""A rental starts in `ready` only if its machine was adopted."""

TRANSITIONS: dict[State, frozenset[State]] = {
    State.AWAITING_APPROVAL: frozenset(
        {
            State.QUEUED,
            State.PROCURING,
            State.DENIED,
            State.EXPIRED,
            State.WITHDRAWN,
            State.AWAITING_APPROVAL,
            State.DESTROYING,
        }
    ),
    State.QUEUED: frozenset({State.PROCURING, State.AWAITING_APPROVAL, State.DESTROYING}),
    State.PROCURING: frozenset({State.PROVISIONING, State.DESTROYING, State.AWAITING_APPROVAL, State.QUEUED}),
    State.PROVISIONING: frozenset({State.READY, State.PROCURING, State.DESTROYING}),
    State.READY: frozenset({State.DESTROYING, State.LOST}),
    State.DESTROYING: ENDS,
    **dict.fromkeys(ENDS, frozenset()),
}


class ForbiddenTransition(Exception):
    """A bug: the code asked for a transition that the table doesn't have."""


def check_transition(before: State | None, after: State) -> None:
    """Raise ForbiddenTransition unless the table has it or the state stays. `before` is None for a new rental."""
    allowed = after in STARTS if before is None else before == after or after in TRANSITIONS[before]
    if not allowed:
        raise ForbiddenTransition(f"{before} -> {after}")


def check_change(before: State | None, after: State) -> None:
    """Raise ForbiddenTransition unless one stored change may lead from `before` to `after`: by one transition, or
    by two if it ends.

    A rental without a live resource ends at once: it passes through `destroying` within the change. Every Change
    is checked by this function.
    """
    if before is not None and after.over and after not in TRANSITIONS[before] and before != after:
        check_transition(before, State.DESTROYING)
        before = State.DESTROYING
    check_transition(before, after)
