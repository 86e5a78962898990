"""Stores the heartbeats of programs."""

from __future__ import annotations

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.lease_changes import heartbeat_back
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.facts import HeartbeatReturn
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Tx


async def store_heartbeat(tx: Tx, deps: Deps, rental: Rental) -> Rental:
    """Store a heartbeat that has just arrived, and return the rental with it.

    Usually, only the time is written, and the rental gets no new version. The rental's next step then reads the
    time when it would otherwise find the heartbeat lost.

    If the heartbeat was lost, this function also restores the end of the lease. The next step could do this as
    well. But a step that is about to end the machine could then still write its result.

    Raises Stale if the heartbeat was lost and the rental has changed since it was read.
    """
    now = deps.clock.now()
    await tx.rentals.note_heartbeat(rental.id, now)
    rental = changed(rental, heartbeat_at=now)
    if rental.lost_heartbeat is None or rental.state is not State.READY:
        return rental
    after, event = heartbeat_back(rental, HeartbeatReturn.HEARTBEAT, now, at=now)
    return await apply(tx, deps, Change(rental, after, (event,)))
