"""Pausing and resuming buying for everyone, and the alert of a click about a rental that the database lost."""

from __future__ import annotations

from bot.errors import BuyingBlock, Refused
from bot.lifecycle.account import is_blocked_by, notify_admins, send_alerts, set_block
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.ports.store import Tx
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.policy.roles import may_pause_buying

_UNKNOWN_RENTAL = "unknown_rental:"
"""The beginning of the account's facts that the admins were notified of an unknown rental."""


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
        pausing = await tx.questions.pausing()
        if await is_blocked_by(tx, BuyingBlock.PAUSED) == paused and (paused or not pausing):
            return False
        now = deps.clock.now()
        await set_block(tx, BuyingBlock.PAUSED, f"{person.id} {now.isoformat()} {why}" if paused else None)
        for question in () if paused else pausing:
            await tx.questions.save(question, changed(question, pauses_buying=False))
        kind, facts = EventKind.PAUSED if paused else EventKind.RESUMED, Facts(detail=why or None)
        event = Event(rental_id=None, kind=kind, at=now, actor=person.id, facts=facts)
        await send_alerts(tx, deps, event)
        return True

    return await transact(deps, decision)


async def note_unknown_rental(deps: Deps, rental_id: str) -> bool:
    """Return whether a rental that a button names is unknown. If it is, notify the admins, once for each rental:
    the database lost it, so perhaps nobody watches its machine."""
    async with deps.store.read() as tx:
        if await tx.rentals.get(rental_id) is not None:
            return False

    async def decision(tx: Tx) -> None:
        if await tx.account.get(f"{_UNKNOWN_RENTAL}{rental_id}") is None:
            await tx.account.set(f"{_UNKNOWN_RENTAL}{rental_id}", deps.clock.now().isoformat())
            await notify_admins(tx, deps, EventKind.UNKNOWN_RENTAL, Facts(name=rental_id))

    await transact(deps, decision)
    return True
