"""A rental that waits for an offer, or for its start time. bot/lifecycle/loops/wishes.py looks for offers."""

from __future__ import annotations

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.blocked_buying import end_wish
from bot.lifecycle.steps.polling import poll_at


async def wait(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """End the rental if its wish has ended."""
    now, wish = deps.clock.now(), snapshot.rental.wish
    if wish is not None and now < wish.until:
        return snapshot.with_due(wish.until)
    if not deps.opened.swept:
        # If the database was restored, the rental's machine may run already. Don't say yet that nothing was
        # rented.
        return snapshot.with_due(poll_at(now))
    return end_wish(snapshot, now)
