"""A ready machine whose place another rental is to take."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.lease_changes import note_not_replaced
from bot.lifecycle.snapshot import RentalSnapshot, load
from bot.lifecycle.transitions import finish
from bot.model.attempt import Why
from bot.model.event import EventKind, Facts
from bot.model.state import State

BOUGHT = frozenset({State.PROVISIONING, State.READY})
"""The states in which the market has accepted the purchase of the other rental."""


async def end_if_replaced(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Destroy the machine once the one that takes its place is bought. If that one ended without a machine, this
    one stays, and its owner may replace it again."""
    name = snapshot.rental.replaced_by
    other = await load(deps, name) if name is not None else None
    if other is None:
        return snapshot
    if other.rental.state in BOUGHT:
        after, events = finish(
            snapshot.rental,
            State.DESTROYED,
            attempts=snapshot.attempts,
            at=now,
            bill=snapshot.spent(now),
            why=Why.REPLACED,
        )
        return snapshot.with_rental(after, *events)
    if not other.rental.state.over:
        return snapshot
    facts = Facts(name=name, amount=other.spent(now).amount)
    return snapshot.with_rental(note_not_replaced(snapshot.rental)).with_event(EventKind.NOT_REPLACED, now, facts)
