"""A rental that is over."""

from __future__ import annotations

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot


async def stay_over(_: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Change nothing. The rental is due only while a resource that appeared after its end is being deleted."""
    return snapshot.with_due(None)
