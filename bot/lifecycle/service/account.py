"""Pausing and resuming buying for everyone. Machines that run are not affected."""

from __future__ import annotations

from bot.errors import BuyingBlock, Refused
from bot.lifecycle.account import is_blocked_by, send_alerts, set_block
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.ports.store import Tx
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.policy.roles import may_pause_buying


async def pause(deps: Deps, person: Person, why: str = "") -> bool:
    """Stop buying, and tell the other admins and the home channel who did it and `why`. Return False if it was
    paused already. Raise Refused if the person is no admin."""
    return await _set(deps, person, paused=True, why=why)


async def resume(deps: Deps, person: Person) -> bool:
    """Allow buying again, and tell them. Return False if it wasn't paused. Raise Refused if the person is no
    admin."""
    return await _set(deps, person, paused=False)


async def _set(deps: Deps, person: Person, *, paused: bool, why: str = "") -> bool:
    if not may_pause_buying(person, deps.rules):
        raise Refused("Only admins pause and resume buying. I changed nothing.")

    async def decision(tx: Tx) -> bool:
        older = await is_blocked_by(tx, BuyingBlock.OLDER_DATABASE)
        if await is_blocked_by(tx, BuyingBlock.PAUSED) == paused and (paused or not older):
            return False
        now = deps.clock.now()
        await set_block(tx, BuyingBlock.PAUSED, f"{person.id} {now.isoformat()} {why}" if paused else None)
        if older and not paused:
            first_ids = await tx.account.get(BuyingBlock.OLDER_DATABASE.value) or ""
            await set_block(tx, BuyingBlock.OLDER_DATABASE, None)
            for first_id in first_ids.split():
                await tx.messages.show_together(first_id)
        kind, facts = EventKind.PAUSED if paused else EventKind.RESUMED, Facts(detail=why or None)
        event = Event(rental_id=None, kind=kind, at=now, actor=person.id, facts=facts)
        await send_alerts(tx, deps, event)
        return True

    return await transact(deps, decision)
