"""Destroying, and taking on an alarm."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle import transitions
from bot.lifecycle.billing import spent
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.transitions import finish
from bot.model.attempt import Why
from bot.model.event import Event, EventKind
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.roles import may_destroy

WHEN_TAKEN_ON = timedelta(hours=2)
"""How long an alarm that someone took on is silent; then it is told again, until it is solved."""


def check_destroyer(person: Person, rental: Rental, deps: Deps) -> None:
    """Raises Refused for who is neither owner, approver nor admin."""
    if not may_destroy(person, rental.owner, deps.rules):
        raise Refused(f"Its owner, approvers and admins can destroy {rental.id}. I changed nothing.")


async def destroyable(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    """A rental that this person can destroy now, within a transaction. Raises as `destroy` does."""
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_YOURS)
    check_destroyer(person, rental, deps)
    if rental.state.over or rental.state is State.DESTROYING:
        done = "is over" if rental.state.over else "is being destroyed already"
        raise TooLate(f"{rental.id} {done}. I changed nothing.", rental.id)
    return rental


async def destroy(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Destroys a rental in whatever state it is, also while it is being bought.

    Raises TooLate where it is over or being destroyed, Refused for who may not, Mistake for an unknown id.
    """

    async def decision(tx: Tx) -> Rental:
        rental = await destroyable(tx, deps, person, rental_id)
        now = deps.clock.now()
        attempts = await tx.rentals.attempts(rental.id)
        bill = spent(await tx.rentals.ledger(rental.id), await tx.rentals.resources(rental.id), attempts, now)
        end = _end_of(rental)
        after, events = finish(rental, end, attempts=attempts, at=now, bill=bill, why=Why.ASKED, by=person.id)
        await tx.rentals.apply(change(rental, after, events=events, rules=deps.rules, real_now=deps.clock.real()))
        await tx.people.note_seen(person.id, now)
        return after

    return await transact(deps, decision)


def _end_of(rental: Rental) -> State:
    if rental.state is State.AWAITING_APPROVAL:
        return State.WITHDRAWN
    return State.CANCELLED if rental.lease is None else State.DESTROYED


async def take_on(deps: Deps, person: Person, rental_id: str) -> Rental:
    """Someone looks after a machine that is not confirmed gone. The bot goes on trying."""

    async def decision(tx: Tx) -> Rental:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_ALL)
        check_destroyer(person, rental, deps)
        alarm = rental.alarm
        if alarm is None or alarm.count == 0:
            raise TooLate(f"{rental.id} is confirmed gone.", rental.id)
        if alarm.taken_on_by is not None:
            raise TooLate(f"Someone is on {rental.id} already.", rental.id)
        now = deps.clock.now()
        after = transitions.take_on_alarm(rental, alarm, person.id, now + WHEN_TAKEN_ON)
        event = Event(rental_id=rental.id, kind=EventKind.TAKEN_ON, at=now, actor=person.id)
        await tx.rentals.apply(
            change(rental, after, events=(event,), rules=deps.rules, real_now=deps.clock.real())
        )
        return after

    return await transact(deps, decision)
