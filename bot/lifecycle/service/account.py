"""Pausing buying for everyone. Nothing is ever destroyed by it."""

from __future__ import annotations

from bot.errors import Refused
from bot.lifecycle.account import PAUSED, tell_admins
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.ports import Tx
from bot.model.event import EventKind
from bot.model.person import Person
from bot.policy.roles import roles_of


async def pause(deps: Deps, person: Person) -> bool:
    """Stops buying. False where it was paused already."""
    return await _set(deps, person, paused=True)


async def resume(deps: Deps, person: Person) -> bool:
    """Goes on buying. False where it wasn't paused."""
    return await _set(deps, person, paused=False)


async def _set(deps: Deps, person: Person, *, paused: bool) -> bool:
    if not roles_of(person, deps.rules).admin:
        raise Refused("Only admins pause and resume buying. I changed nothing.")

    async def decision(tx: Tx) -> bool:
        if (await tx.account.get(PAUSED) is not None) == paused:
            return False
        await tx.account.set(PAUSED, person.id if paused else None)
        await tell_admins(tx, deps, EventKind.PAUSED if paused else EventKind.RESUMED, actor=person.id)
        return True

    return await transact(deps, decision)
