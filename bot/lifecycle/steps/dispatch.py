"""One step of one rental: load it, act, save it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.errors import Stale
from bot.lifecycle.changes.snapshot import RentalSnapshot, WriteDue, save
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.steps import (
    destroying,
    procuring,
    provisioning,
    ready,
    resource_deletion,
    waiting,
)
from bot.lifecycle.steps.polling import soonest
from bot.model.state import ENDS, State

Step = Callable[[StepDeps, RentalSnapshot], Awaitable[RentalSnapshot]]

STEPS: dict[State, Step] = {
    State.AWAITING_APPROVAL: waiting.wait,
    State.QUEUED: waiting.wait,
    State.PROCURING: procuring.procure,
    State.PROVISIONING: provisioning.provision,
    State.READY: ready.run,
    State.DESTROYING: destroying.destroy,
    **dict.fromkeys(ENDS, destroying.stay_over),
}


async def step(deps: StepDeps, snapshot: RentalSnapshot, write_due: WriteDue) -> None:
    """Do what is due for a rental that was just loaded, and end its claim. `write_due` is as for `save`.

    If the rental changed meanwhile, save only what the market answered. The change made the rental due at once, so
    the next step decides again.
    """
    over_before = snapshot.rental.over_at
    try:
        snapshot = await resource_deletion.continue_deletions(deps, snapshot)
        snapshot = await STEPS[snapshot.rental.state](deps, snapshot)
        if snapshot.rental.over_at is not None and over_before is None:
            snapshot = await destroying.note_unseen_end(deps, snapshot)
        snapshot = waiting.give_approval_notice_if_due(snapshot, deps.clock.now())
        next_round = resource_deletion.next_round(snapshot, deps.clock.now())
        if next_round is not None:
            snapshot = snapshot.with_due(soonest(next_round, snapshot.rental.due_at))
        await save(deps, snapshot, write_due=write_due)
    except Stale:
        async with deps.store.write() as tx:
            await tx.rentals.release(snapshot.rental.id)
