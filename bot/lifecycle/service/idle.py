"""What approvers decide about an idle machine whose owner doesn't answer: ask again, or leave it until its end."""

from __future__ import annotations

from datetime import datetime

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.deps import Deps, apply, transact
from bot.lifecycle.lease_changes import decide_question
from bot.lifecycle.ports.store import EVER, Tx
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.hours import zone_of
from bot.policy.questions import after_answer, asks_again_at, unanswered
from bot.policy.roles import may_decide_idle


async def ask_again(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Ask its owner again, as soon as their hours allow it. Raise as `_load`, and TooLate if they left."""

    async def decision(tx: Tx) -> Rental:
        rental, now = await _load(tx, deps, person, rental_id), deps.clock.now()
        question = after_answer(rental.running_lease.question, now, promised=True)
        after = decide_question(rental, question, now)
        owner = await tx.people.get(rental.owner, EVER)
        if owner is not None and owner.deactivated:
            words = f"{owner.name} left the workspace: admins decide about {rental.id}. I changed nothing."
            raise TooLate(words, rental.id)
        zone = zone_of(owner.tz if owner else None, deps.rules)
        at = asks_again_at(after.running_lease, zone=zone, rules=deps.rules)
        return await apply(tx, deps, rental, after, _event(rental, EventKind.OWNER_ASKED_AGAIN, person, now, at))

    return await transact(deps, decision)


async def leave_alone(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Leave the machine as it is until its lease's end: nobody is asked about it before. Raise as `_load`."""

    async def decision(tx: Tx) -> Rental:
        rental, now = await _load(tx, deps, person, rental_id), deps.clock.now()
        ends_at = rental.running_lease.ends_at
        question = after_answer(rental.running_lease.question, ends_at, promised=False)
        after = decide_question(rental, question, now)
        return await apply(tx, deps, rental, after, _event(rental, EventKind.LEFT_ALONE, person, now, ends_at))

    return await transact(deps, decision)


async def _load(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    """Return a rental whose owner was asked about it and did not answer.

    Raise Refused unless the person is an approver or an admin, Mistake if the id is unknown, and TooLate if the
    machine is in use again, its owner answered, somebody decided before, or it is not ready any more.
    """
    if not may_decide_idle(person, deps.rules):
        raise Refused("Approvers and admins decide that. I changed nothing.")
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_ALL)
    if rental.state is not State.READY or unanswered(rental, rental.use) is None:
        raise TooLate(f"{rental.id} no longer waits for an answer. I changed nothing.", rental.id)
    return rental


def _event(rental: Rental, kind: EventKind, person: Person, now: datetime, until: datetime) -> Event:
    return Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=Facts(until=until))
