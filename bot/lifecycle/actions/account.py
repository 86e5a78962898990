"""Pausing and resuming buying for everyone."""

from __future__ import annotations

from bot.errors import Refused
from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import Deps, transact
from bot.model.account_facts import PAUSED, Pause
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import SaidFacts
from bot.model.person import Person
from bot.policy.team.roles import is_admin
from store.db import Tx


async def pause(deps: Deps, person: Person, why: str = "") -> bool:
    """Stop buying, and notify the other admins and the home channel who did it and `why`. Return False if buying
    was paused already. Raise Refused if the person is no admin."""
    return await _set(deps, person, paused=True, why=why)


async def resume(deps: Deps, person: Person, why: str = "") -> bool:
    """Allow buying again, and notify the same people who did it and `why`. Return False if buying wasn't paused.
    Raise Refused if the person is no admin."""
    return await _set(deps, person, paused=False, why=why)


async def _set(deps: Deps, person: Person, *, paused: bool, why: str) -> bool:
    if not is_admin(person, deps.rules):
        raise Refused("Only admins pause and resume buying. I changed nothing.")

    async def decision(tx: Tx) -> bool:
        pausing = await tx.questions.pausing()
        if (await tx.account.get(PAUSED) is not None) == paused and (paused or not pausing):
            return False
        now = deps.clock.now()
        await tx.account.set(PAUSED, Pause(by=person.id, at=now, why=why) if paused else None)
        for question in () if paused else pausing:
            await tx.questions.save(question, changed(question, pauses_buying=False))
        kind, facts = EventKind.PAUSED if paused else EventKind.RESUMED, SaidFacts(detail=why or None)
        event = Event(rental_id=None, kind=kind, at=now, actor=person.id, facts=facts)
        await send(tx, deps, event)
        return True

    return await transact(deps, decision)
