"""What is known of an attempt or a resource when two say something about it.

Facts are written whoever won the rental, so a copy that was read before may come late. It adds what it knows and
takes nothing back: neither a deletion that was asked for or accepted, nor an answer, nor an end.
"""

from __future__ import annotations

from bot.model.attempt import Attempt, AttemptState, Resource
from bot.model.base import changed

_UNDECIDED = {AttemptState.INTENDED: 0, AttemptState.UNKNOWN: 1}
_DECIDED = 2


def attempt(known: Attempt, said: Attempt) -> Attempt:
    """`said`, with what may not be taken back kept from `known`."""
    older = _UNDECIDED.get(said.state, _DECIDED) < _UNDECIDED.get(known.state, _DECIDED)
    return changed(
        said,
        **({"state": known.state, "why": known.why, "detail": known.detail} if older else {}),
        answered_at=said.answered_at or known.answered_at,
        accepted=said.accepted or known.accepted,
        reopened=said.reopened or known.reopened,
        marked_for_deletion=said.marked_for_deletion or known.marked_for_deletion,
        delete_accepted_at=known.delete_accepted_at or said.delete_accepted_at,
    )


def resource(known: Resource, said: Resource) -> Resource:
    """`said`, with what may not be taken back kept from `known`, and what the API left out this time."""
    # A newer look may find alive again what was taken for gone; an older one may not.
    gone_at = said.gone_at if said.read_at > known.read_at else known.gone_at or said.gone_at
    came_back = known.gone_at is not None and gone_at is None
    return changed(
        said,
        status=known.status if known.read_at > said.read_at else said.status,
        first_seen=min(known.first_seen, said.first_seen),
        read_at=max(known.read_at, said.read_at),
        rate=known.rate if said.rate is None else said.rate,
        valid_from=said.valid_from or known.valid_from,
        valid_to=said.valid_to if came_back else said.valid_to or known.valid_to,
        host=said.host or known.host,
        port=said.port or known.port,
        delete_accepted_at=known.delete_accepted_at or said.delete_accepted_at,
        gone_at=gone_at,
    )
