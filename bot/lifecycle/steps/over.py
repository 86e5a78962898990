"""A rental that is over."""

from __future__ import annotations

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot


async def stay_over(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """An over rental is only due while something that turned up late is being deleted. Its end stands."""
    return snapshot.with_due(None)
