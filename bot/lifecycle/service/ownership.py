"""Gives a rental another owner. No other code changes the owner of a rental."""

from __future__ import annotations

from bot.errors import Mistake, NextStep, TooLate
from bot.lifecycle import transitions
from bot.lifecycle.deps import Deps, apply, transact
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.ready_machine import load_machine, question_facts
from bot.lifecycle.service.adopting import check_admin, check_new_owner
from bot.lifecycle.snapshot import load_snapshot
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts, OpenQuestion, open_question
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.ready import idle_now
from bot.policy.unknown_machines import ASK_AGAIN_AFTER


async def change_owner(deps: Deps, admin: Person, rental_id: str, owner: Person) -> Rental:
    """Make a person the owner of a rental that is not ending, and return it.

    Ledger rows are not cut: a row has the owner at its end. The events tell what part of it another owner had. No
    limit refuses the change, since nothing more is bought.

    Raise Refused if the person is no admin, Mistake if the id is unknown, if `owner` may not use the bot or owns
    the rental already, and TooLate if the rental is over or being destroyed, or if it got another owner since the
    admins were asked.
    """

    async def decision(tx: Tx) -> Rental:
        rental = await _to_change(tx, deps, admin, rental_id)
        check_new_owner(owner, deps)
        if rental.owner == owner.id:
            raise Mistake(f"{rental.id} is theirs already. I changed nothing.")
        now = deps.clock.now()
        people = (rental.owner, owner.id)
        facts, idle = Facts(people=people), None
        if rental.state is State.READY:
            snapshot = await load_snapshot(tx, rental)
            idle = idle_now(await load_machine(tx, deps, snapshot, now), deps.rules, now)
            # One message says that the rental is theirs and asks about it: a separate question would follow at
            # once.
            facts = changed(question_facts(snapshot, idle, now), people=people) if idle is not None else facts
        after = transitions.change_owner(rental, owner.id, now, asked_about=idle)
        event = Event(rental_id=rental.id, kind=EventKind.OWNER_CHANGED, at=now, actor=admin.id, facts=facts)
        await apply(tx, deps, rental, after, event)
        await tx.people.note_seen(admin.id, now)
        return after

    return await transact(deps, decision)


async def preview_change(deps: Deps, admin: Person, rental_id: str) -> Rental:
    """Return a rental for a dialog in which an admin gives it to somebody. Raise as `change_owner`."""
    async with deps.store.read() as tx:
        return await _to_change(tx, deps, admin, rental_id)


async def ask_again(deps: Deps, admin: Person, rental_id: str) -> None:
    """Ask the admins again in a day about a rental whose owner left. Raise as `change_owner`."""

    async def decision(tx: Tx) -> None:
        rental = await _to_change(tx, deps, admin, rental_id)
        now = deps.clock.now()
        facts = Facts(until=now + ASK_AGAIN_AFTER)
        event = Event(rental_id=rental.id, kind=EventKind.OWNER_LEFT_LATER, at=now, actor=admin.id, facts=facts)
        await apply(tx, deps, rental, transitions.alter(rental), event)
        await tx.people.note_seen(admin.id, now)

    await transact(deps, decision)


async def _to_change(tx: Tx, deps: Deps, admin: Person, rental_id: str) -> Rental:
    check_admin(admin, deps)
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_ALL)
    if rental.state.over or rental.state is State.DESTROYING:
        how = "over" if rental.state.over else "being destroyed"
        raise TooLate(f"{rental.id} is {how}. I changed nothing.", rental.id)
    events = await tx.events.of(rental.id)
    given = any(event.kind is EventKind.OWNER_CHANGED for event in events)
    if given and open_question(events, OpenQuestion.OWNER) is None:
        owner = (await tx.people.names([rental.owner])).get(rental.owner, rental.owner)
        raise TooLate(f"{rental.id} is {owner}'s by now. I changed nothing.", rental.id)
    return rental
