"""Destroys rentals, and acknowledges alarms about deletions that the vendor hasn't confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.errors import NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Direct
from bot.lifecycle.changes import lease_changes, transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps, known_rental
from bot.lifecycle.steps.ready_machine import last_probe_runs
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import EndFacts
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import UNBOUGHT, State
from bot.policy.team.roles import may_destroy
from bot.policy.use import on_ending
from bot.policy.use.probing import has_probe
from store.db import Tx


@dataclass(frozen=True)
class ToDestroy:
    """A rental that a person is allowed to destroy now."""

    rental: Rental
    end_after_script: datetime | None
    """The latest time at which the machine ends if its `/root/on-ending.sh` runs first.

    None if the script can't run now.
    """


class Destroy(Direct[ToDestroy, Rental], id="destroy"):
    """Destroy a rental in any state. `why` is the person's reason.

    With `graceful_destroy`, a ready machine is destroyed when its `/root/on-ending.sh` exits, or after ten
    minutes at the latest. If somebody extends the lease in the meantime, the machine isn't destroyed.

    Raises:
        Mistake: The ID is unknown.
        Refused: The person isn't allowed to destroy this rental.
        TooLate: The rental is over or already being destroyed. With `graceful_destroy`, also raised if the script
            can't run now or if the machine is already waiting for the script.
    """

    rental_id: str
    why: str = ""
    graceful_destroy: bool = False

    async def load(self, tx: Tx, deps: Deps, person: Person) -> ToDestroy:
        rental = await _load_for_destroyer(tx, deps, person, self.rental_id, unknown=NextStep.LIST_YOURS)
        if rental.state.over or rental.state is State.DESTROYING:
            done = "has already ended" if rental.state.over else "is already being destroyed"
            raise TooLate(f"{rental.id} {done}. Nothing was changed.", rental.id)
        return ToDestroy(rental, await end_after_script(tx, deps, rental))

    def confirms(self, plan: ToDestroy) -> bool:
        return True

    def shown(self, plan: ToDestroy) -> Rental:
        return plan.rental

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: ToDestroy) -> Rental:
        if self.graceful_destroy:
            return await _destroy_after_script(tx, deps, person, plan)
        rental, now = plan.rental, deps.clock.now()
        snapshot = await load_snapshot(tx, rental)
        after, event = snapshot.finished(_end_of(rental), now, why=Why.ASKED, by=person.id)
        event = changed(event, facts=changed(event.facts, detail=self.why or None))
        return await apply(tx, deps, Change(rental, after, (event,)))


async def _destroy_after_script(tx: Tx, deps: Deps, person: Person, plan: ToDestroy) -> Rental:
    rental, ends_at, now = plan.rental, plan.end_after_script, deps.clock.now()
    if rental.lease is not None and rental.lease.graceful_destroy is not None:
        wait = f"{rental.id} is already waiting for its script /root/on-ending.sh."
        message = f"{wait} To destroy it now, uncheck the box."
        raise TooLate(message, rental.id)
    if ends_at is None:
        cannot = f"The script /root/on-ending.sh can't run on {rental.id} now. Nothing was changed."
        message = f"{cannot} To destroy {rental.id} now, uncheck the box."
        raise TooLate(message, rental.id)
    after = lease_changes.destroy_after_script(rental, ends_at, by=person.id, now=now)
    facts = EndFacts(until=ends_at, since=rental.running_lease.ends_at)
    event = Event(rental_id=rental.id, kind=EventKind.GRACEFUL_DESTROY, at=now, actor=person.id, facts=facts)
    return await apply(tx, deps, Change(rental, after, (event,)))


async def end_after_script(tx: Tx, deps: Deps, rental: Rental) -> datetime | None:
    """Return the latest time at which a machine ends if it is destroyed gracefully now.

    None if the machine's script can't run now, if the rental isn't ready, or if the machine is already being
    deleted.
    """
    live = next((one for one in await tx.rentals.attempts(rental.id) if one.live), None)
    if rental.state is not State.READY or live is None or live.marked_for_deletion:
        return None
    now = deps.clock.now()
    use = rental.use if has_probe(rental, live, deps.rules) else None
    return on_ending.end_after_script(
        rental, use, await last_probe_runs(tx, rental, now, deps.rules), now, deps.rules
    )


async def _load_for_destroyer(tx: Tx, deps: Deps, person: Person, rental_id: str, *, unknown: NextStep) -> Rental:
    """Return a rental that this person is allowed to destroy.

    Raises Mistake if the ID is unknown, and Refused if the person isn't allowed to destroy the rental.
    """
    rental = await known_rental(tx, rental_id, unknown)
    if not may_destroy(person, rental.owner, deps.rules):
        raise Refused(f"Only its owner, approvers and admins can destroy {rental.id}. Nothing was changed.")
    return rental


def _end_of(rental: Rental) -> State:
    """Return the state in which a rental ends if it is destroyed now, depending on its present state."""
    if rental.state in UNBOUGHT:
        return State.WITHDRAWN
    return State.CANCELLED if rental.lease is None else State.DESTROYED


class TakeOnAlarm(Direct[Rental, Rental], id="taken_on", notes_seen=False):
    """Acknowledge an alarm about an unconfirmed deletion. The bot keeps retrying the deletion.

    Raises:
        Mistake: The ID is unknown.
        Refused: The person isn't allowed to destroy the rental.
        TooLate: The termination of its machines is confirmed, or somebody has already acknowledged the alarm.
    """

    rental_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        return await _load_for_destroyer(tx, deps, person, self.rental_id, unknown=NextStep.LIST_ALL)

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        rental, alarm = plan, plan.alarm
        if alarm is None or alarm.count == 0:
            raise TooLate(f"{rental.id} has ended, confirmed by the vendor.", rental.id)
        if not alarm.can_be_acknowledged:
            raise TooLate(f"Someone is already looking into the deletion of {rental.id}.", rental.id)
        now = deps.clock.now()
        after = transitions.alter(
            rental, alarm=changed(alarm, at=now + transitions.ACKNOWLEDGED_SILENCE, acknowledged_by=person.id)
        )
        event = Event(rental_id=rental.id, kind=EventKind.ACKNOWLEDGED, at=now, actor=person.id)
        return await apply(tx, deps, Change(rental, after, (event,)))
