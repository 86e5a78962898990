"""Pausing buying for everyone. Nothing is ever destroyed by it."""

from __future__ import annotations

from bot.errors import Refused
from bot.lifecycle.desk import Desk, decide
from bot.lifecycle.ports import Tx
from bot.lifecycle.service.renting import PAUSED
from bot.lifecycle.telling import notices
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.policy.roles import roles_of


async def pause(desk: Desk, person: Person) -> bool:
    """Stops buying. False where it was paused already."""
    return await _set(desk, person, paused=True)


async def resume(desk: Desk, person: Person) -> bool:
    """Goes on buying. False where it wasn't paused."""
    return await _set(desk, person, paused=False)


async def _set(desk: Desk, person: Person, *, paused: bool) -> bool:
    if not roles_of(person, desk.rules).admin:
        raise Refused("Only admins pause and resume buying. I changed nothing.")

    async def decision(tx: Tx) -> bool:
        if (await tx.account.get(PAUSED) is not None) == paused:
            return False
        await tx.account.set(PAUSED, person.id if paused else None)
        await tell_admins(tx, desk, EventKind.PAUSED if paused else EventKind.RESUMED, actor=person.id)
        return True

    return await decide(desk, decision)


async def tell_admins(
    tx: Tx, desk: Desk, kind: EventKind, facts: Facts | None = None, actor: str | None = None
) -> None:
    """Tells every admin an event of the account, but for whoever made it."""
    event = Event(rental_id=None, kind=kind, at=desk.clock.now(), actor=actor, facts=facts or Facts())
    await send_notices(tx, desk, event)


async def send_notices(tx: Tx, desk: Desk, event: Event, owner: str | None = None) -> None:
    """Writes an event with its notices: to the admins, and to `owner` if it is about a rental of theirs. The
    person who made the event gets none."""
    event_id = await tx.events.add(event)
    for message in notices(desk.rules, desk.clock.real(), owner):
        if message.to != event.actor:
            await tx.messages.add(message.model_copy(update={"event_id": event_id}))
