"""What lists and messages show: rentals as stories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from bot.errors import Mistake
from bot.lifecycle.case import load_facts
from bot.lifecycle.desk import Desk
from bot.lifecycle.ports import Tx
from bot.model.event import Event
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.story import Story

EVER = datetime.min.replace(tzinfo=UTC)


async def story(tx: Tx, rental: Rental, now: datetime) -> Story:
    """A rental with all that a reader may be told of it, within a transaction."""
    case = await load_facts(tx, rental)
    waits = rental.state is State.AWAITING_APPROVAL or rental.extension is not None
    events = tuple(await tx.events.of(rental.id))
    usual = await tx.rentals.usual_ready(rental.vendor, _gpu(rental)) if rental.vendor else None
    return Story(
        rental=rental,
        attempts=case.attempts,
        resources=case.resources,
        ledger=case.ledger,
        events=events,
        spent=case.spent(now),
        usual=None if usual is None else timedelta(seconds=round(usual)),
        names=await names(tx, _named(rental, events)),
        owners_live=tuple(await tx.rentals.live(rental.owner)) if waits else (),
    )


def _gpu(rental: Rental) -> str:
    return rental.request.gpu


def _named(rental: Rental, events: Iterable[Event]) -> set[str]:
    people = {rental.owner, rental.approved_by, rental.end_by, rental.taken_on_by}
    people |= {event.actor for event in events}
    return {person for person in people if person is not None}


async def names(tx: Tx, people: Iterable[str]) -> dict[str, str]:
    """Display names as last known; whom we don't know is left out."""
    known = {person: await tx.people.get(person, EVER) for person in people}
    return {person: found.name for person, found in known.items() if found is not None}


async def show(desk: Desk, rental_id: str) -> Story:
    """One rental with its history. Raises Mistake for an unknown id."""
    async with desk.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise Mistake(f"I don't know {rental_id}. /gpu list shows yours.")
        return await story(tx, rental, desk.clock.now())


async def mine(desk: Desk, owner: str) -> list[Story]:
    """One person's rentals that are not over, oldest first."""
    async with desk.store.read() as tx:
        return [await story(tx, rental, desk.clock.now()) for rental in await tx.rentals.live(owner)]


async def everyones(desk: Desk) -> list[Story]:
    """All rentals that are not over, oldest first."""
    async with desk.store.read() as tx:
        return [await story(tx, rental, desk.clock.now()) for rental in await tx.rentals.live()]
