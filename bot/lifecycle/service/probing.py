"""A probe that somebody installed by hand."""

from __future__ import annotations

from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.service.leasing import load_extendable
from bot.lifecycle.transitions import alter
from bot.model.event import Event, EventKind
from bot.model.person import Person
from bot.model.rental import Rental
from bot.policy.visiting import soonest_visit


async def visit_now(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Visit a machine as soon as it may be, because a person says that they installed the probe. Raise as
    `load_extendable`."""

    async def decision(tx: Tx) -> Rental:
        rental = await load_extendable(tx, deps, person, rental_id)
        now = deps.clock.now()
        await tx.visits.make_due(rental_id, soonest_visit(await tx.samples.newest(rental_id), now))
        if not any(event.kind is EventKind.PROBE_INSTALLED for event in await tx.events.of(rental_id)):
            event = Event(rental_id=rental_id, kind=EventKind.PROBE_INSTALLED, at=now, actor=person.id)
            after, real = alter(rental), deps.clock.real()
            await tx.rentals.apply(change(rental, after, events=(event,), rules=deps.rules, real_now=real))
        await tx.people.note_seen(person.id, now)
        return rental

    return await transact(deps, decision)
