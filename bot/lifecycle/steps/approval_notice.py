"""Notifies the owner of an approval if the machine takes long. Otherwise the message that it is ready says so."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.transitions import give_approval_notice
from bot.model.event import EventKind


def give_if_due(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Return the snapshot with the event if the notice is due, or else due again when it is."""
    at = snapshot.rental.approval_notice_at
    if at is None:
        return snapshot
    if at > now:
        return snapshot.with_due(soonest(at, snapshot.rental.due_at))
    return snapshot.with_rental(give_approval_notice(snapshot.rental)).with_event(
        EventKind.APPROVED_NOT_READY, now
    )
