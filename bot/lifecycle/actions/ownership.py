"""An admin gives a rental another owner. `giving` has the owner who gives it, and the person who takes it."""

from __future__ import annotations

from bot.errors import Mistake, NextStep, TooLate
from bot.lifecycle.account.admin_questions import decide
from bot.lifecycle.account.adoption import check_admin, check_new_owner
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps
from bot.lifecycle.steps.ready_machine import load_machine, question_facts
from bot.model.admin_question import AdminQuestion, AdminVerdict, OwnerLeft
from bot.model.event import Event, EventKind
from bot.model.facts import OwnerChangedFacts
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.use.ready import idle_now
from store.db import Tx


async def change_owner(tx: Tx, deps: Deps, admin: Person, rental_id: str, owner: Person) -> Rental:
    """Make a person the owner of a rental that is not ending, in the caller's transaction, and return it.

    What the rental holds of budgets moves to the new owner's. What it costs is charged to each owner for their
    time. No limit refuses the change, since nothing more is bought.

    Raise Refused if the person is no admin, Mistake if the id is unknown, if `owner` may not use the bot or owns
    the rental already, and TooLate if the rental is over or being destroyed, or if it got another owner since the
    admins were asked.
    """
    rental, question = await load_to_change(tx, deps, admin, rental_id)
    check_new_owner(owner, deps)
    if rental.owner == owner.id:
        raise Mistake(f"{rental.id} is theirs already. I changed nothing.")
    now = deps.clock.now()
    people = (rental.owner, owner.id)
    facts, idle = OwnerChangedFacts(people=people), None
    if rental.state is State.READY:
        snapshot = await load_snapshot(tx, rental)
        idle = idle_now(await load_machine(tx, deps, snapshot, now), deps.rules, now)
        # One message says that the rental is theirs and asks about it: a separate question would follow at once.
        facts = (
            OwnerChangedFacts(people=people, **dict(question_facts(snapshot, idle, now)))
            if idle is not None
            else facts
        )
    after = transitions.change_owner(rental, owner.id, now, asked_about=idle)
    event = Event(rental_id=rental.id, kind=EventKind.OWNER_CHANGED, at=now, actor=admin.id, facts=facts)
    await apply(tx, deps, Change(rental, after, (event,)))
    if question is not None:
        await decide(tx, deps, question, admin.id, AdminVerdict.GAVE_OWNER, rental_id=rental.id)
    await tx.people.note_seen(admin.id, now)
    return after


async def load_to_change(tx: Tx, deps: Deps, admin: Person, rental_id: str) -> tuple[Rental, AdminQuestion | None]:
    """Return a rental that an admin may give to somebody, and the question to the admins about it, None if they
    were not asked. Raise as `change_owner`."""
    check_admin(admin, deps)
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_ALL)
    if rental.state.over or rental.state is State.DESTROYING:
        how = "over" if rental.state.over else "being destroyed"
        raise TooLate(f"{rental.id} is {how}. I changed nothing.", rental.id)
    asked = [one for one in await tx.questions.of_rental(rental.id) if isinstance(one.about, OwnerLeft)]
    if asked and not asked[-1].open:
        owner = (await tx.people.names([rental.owner])).get(rental.owner, rental.owner)
        raise TooLate(f"{rental.id} is {owner}'s by now. I changed nothing.", rental.id)
    return rental, asked[-1] if asked else None
