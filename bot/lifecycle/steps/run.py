"""One step of one rental: load, act, apply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.errors import Stale
from bot.lifecycle.case import Case, load, save
from bot.lifecycle.desk import Works
from bot.lifecycle.steps import destroying, procuring, provisioning, running, tending
from bot.lifecycle.steps.pace import soonest
from bot.model.state import ENDS, State

Step = Callable[[Works, Case], Awaitable[Case]]

STEPS: dict[State, Step] = {
    State.AWAITING_APPROVAL: destroying.wait,
    State.PROCURING: procuring.procure,
    State.PROVISIONING: provisioning.provision,
    State.READY: running.run,
    State.DESTROYING: destroying.destroy,
    **dict.fromkeys(ENDS, destroying.stay_over),
}


async def step(works: Works, rental_id: str) -> None:
    """Does what is due for a rental and ends its claim.

    Where somebody changed the rental meanwhile, what the market answered is written and the rest is dropped:
    whoever changed it made it due at once, so the next step decides from what is then true.
    """
    case = await load(works, rental_id)
    if case is None:
        return
    try:
        case = await tending.tend(works, case)
        case = await STEPS[case.rental.state](works, case)
        deletions = tending.next_look(case, works.clock.now())
        if deletions is not None:
            due_at = soonest(deletions, case.rental.due_at)
            case = case.now_is(case.rental.model_copy(update={"due_at": due_at}))
        await save(works, case, releases=True)
    except Stale:
        async with works.store.write() as tx:
            await tx.rentals.release(rental_id)
