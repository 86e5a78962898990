"""A rental that waits for an offer, or for its start time. bot/lifecycle/loops/wishes.py looks for offers."""

from __future__ import annotations

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot


async def wait(_: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Return the snapshot due only if something changes."""
    return snapshot.with_due(None)
