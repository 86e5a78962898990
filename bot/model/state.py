"""The states of a rental, and the table of transitions between them. docs/lifecycle.md has the diagram."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a rental."""

    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    """The rental waits for a suitable offer, or for its start time. Nothing has been bought yet."""
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
        """True if the state is final."""
        return self in ENDS


UNBOUGHT = frozenset({State.AWAITING_APPROVAL, State.QUEUED})
"""The states in which nothing is being bought yet, because a decision or an offer is missing."""

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
"""The states in which a rental can start.

A rental starts in `ready` only if an admin gave an owner to a machine that was already running.
"""

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
    """A bug: the code requested a transition that isn't in the table."""


def check_transition(before: State | None, after: State) -> None:
    """Check that a rental is allowed to go from one state to the other.

    A rental is always allowed to stay in its state. `before` is None for a new rental. Raises ForbiddenTransition.
    """
    allowed = after in STARTS if before is None else before == after or after in TRANSITIONS[before]
    if not allowed:
        raise ForbiddenTransition(f"{before} -> {after}")


def check_change(before: State | None, after: State) -> None:
    """Check that a single stored change is allowed to take a rental from one state to the other.

    Normally, a change contains at most one transition. If no machine of the rental exists any more, a change can
    contain two: to `destroying`, and from there to a final state. Raises ForbiddenTransition.
    """
    if before is not None and after.over and after not in TRANSITIONS[before] and before != after:
        check_transition(before, State.DESTROYING)
        before = State.DESTROYING
    check_transition(before, after)
