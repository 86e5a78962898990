"""The states of a rental. The transitions between them are in bot/lifecycle/changes/transitions.py alone."""

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
