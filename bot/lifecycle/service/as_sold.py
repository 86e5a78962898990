"""Keeping a machine whose GPUs are not those that were sold."""

from __future__ import annotations

from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.service.leasing import load_extendable
from bot.lifecycle.transitions import alter
from bot.model.event import Event, EventKind
from bot.model.person import Person
from bot.model.rental import Rental


async def keep_as_it_is(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Note that a person keeps the machine as it is. A second click changes nothing.

    Raise as `load_extendable`.
    """

    async def decision(tx: Tx) -> Rental:
        rental = await load_extendable(tx, deps, person, rental_id)
        if any(event.kind is EventKind.KEPT_AS_IT_IS for event in await tx.events.of(rental_id)):
            return rental
        now, after = deps.clock.now(), alter(rental)
        event = Event(rental_id=rental_id, kind=EventKind.KEPT_AS_IT_IS, at=now, actor=person.id)
        await tx.rentals.apply(
            change(rental, after, events=(event,), rules=deps.rules, real_now=deps.clock.real())
        )
        await tx.people.note_seen(person.id, now)
        return after

    return await transact(deps, decision)
