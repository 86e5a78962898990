"""Merge what the store has of an attempt or a resource with a new report of it.

Facts are written even if the rental was changed meanwhile, so a report may be based on an older copy. Merging
adds what the report knows, and never undoes a deletion that was requested or accepted, an answer or an end.
"""

from __future__ import annotations

from bot.model.attempt import Attempt, AttemptState, Resource
from bot.model.base import changed

_PROGRESS = {AttemptState.INTENDED: 0, AttemptState.UNKNOWN: 1}
_ANSWERED = 2
"""The progress of an attempt in any other state: the market answered."""


def merge_attempt(stored: Attempt, reported: Attempt) -> Attempt:
    """Return `reported` without undoing anything that is in `stored`."""
    older = _PROGRESS.get(reported.state, _ANSWERED) < _PROGRESS.get(stored.state, _ANSWERED)
    return changed(
        reported,
        **({"state": stored.state, "why": stored.why, "detail": stored.detail} if older else {}),
        answered_at=reported.answered_at or stored.answered_at,
        accepted=reported.accepted or stored.accepted,
        extra=reported.extra or stored.extra,
        marked_by=reported.marked_by or stored.marked_by,
        delete_accepted_at=stored.delete_accepted_at or reported.delete_accepted_at,
    )


def merge_resource(stored: Resource, reported: Resource) -> Resource:
    """Return `reported` without undoing anything that is in `stored`. Keep the fields that the API left out."""
    # Only a newer read can prove that a resource which counts as gone is alive.
    gone_at = reported.gone_at if reported.read_at > stored.read_at else stored.gone_at or reported.gone_at
    came_back = stored.gone_at is not None and gone_at is None
    return changed(
        reported,
        status=stored.status if stored.read_at > reported.read_at else reported.status,
        first_seen=min(stored.first_seen, reported.first_seen),
        read_at=max(stored.read_at, reported.read_at),
        rate=stored.rate if reported.rate is None else reported.rate,
        valid_from=reported.valid_from or stored.valid_from,
        valid_to=reported.valid_to if came_back else reported.valid_to or stored.valid_to,
        host=reported.host or stored.host,
        port=reported.port or stored.port,
        delete_accepted_at=stored.delete_accepted_at or reported.delete_accepted_at,
        gone_at=gone_at,
    )
