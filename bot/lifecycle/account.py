"""Whether buying is blocked, and why; and what the admins are notified of."""

from __future__ import annotations

from bot.errors import Refused
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.notifications import notices
from bot.lifecycle.ports import Tx
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts

PAUSED = "paused"
"""The account's fact that stops buying: who paused it."""
LOCKED_OUT = "locked_out"
"""The account's fact that the marketplace refuses our token."""


async def stopped(tx: Tx) -> str | None:
    """Why nothing is bought for anyone now, and who can change that; None where buying goes on."""
    if await tx.account.get(PAUSED) is not None:
        return "Buying is paused. An admin can go on with /gpu resume."
    if await tx.account.get(LOCKED_OUT) is not None:
        return "Compute Clear refuses my token, so I can't rent now. Admins know."
    return None


async def check_buying(tx: Tx) -> None:
    """Raises Refused while buying is paused or the marketplace refuses our token."""
    why = await stopped(tx)
    if why is not None:
        raise Refused(f"{why} Nothing was rented.")


async def note_token(deps: Deps, refused: bool) -> None:
    """Told by the client after an answer that differs from the last: whether our token was refused."""

    async def decision(tx: Tx) -> None:
        if (await tx.account.get(LOCKED_OUT) is not None) == refused:
            return
        await tx.account.set(LOCKED_OUT, "yes" if refused else None)
        await tell_admins(tx, deps, EventKind.LOCKED_OUT if refused else EventKind.LET_IN)

    await transact(deps, decision)


async def tell_admins(
    tx: Tx, deps: Deps, kind: EventKind, facts: Facts | None = None, actor: str | None = None
) -> None:
    """Tells every admin an event of the account, but for whoever made it."""
    event = Event(rental_id=None, kind=kind, at=deps.clock.now(), actor=actor, facts=facts or Facts())
    await send_notices(tx, deps, event)


async def send_notices(tx: Tx, deps: Deps, event: Event, owner: str | None = None) -> None:
    """Writes an event with its notices: to the admins, and to `owner` if it is about a rental of theirs. The
    person who made the event gets none."""
    event_id = await tx.events.add(event)
    for message in notices(deps.rules, deps.clock.real(), owner):
        if message.to.value != event.actor:
            await tx.messages.add(changed(message, event_id=event_id))
