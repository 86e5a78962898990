"""What lists and messages show: one rental as a story, and many as a listing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import Mistake, Refused
from bot.lifecycle.billing import so_far
from bot.lifecycle.deps import Deps
from bot.lifecycle.ports import LiveCost, Tx
from bot.lifecycle.service.quoting import check_user
from bot.lifecycle.snapshot import load_snapshot
from bot.model.event import Event
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AccruedCost, CostTotals, RentalDetails, RentalList, RentalSummary
from bot.policy.roles import may_look


async def details(tx: Tx, rental: Rental, now: datetime) -> RentalDetails:
    """A rental with all that a reader may be told of it, within a transaction."""
    snapshot = await load_snapshot(tx, rental)
    waits = rental.state is State.AWAITING_APPROVAL or rental.extension is not None
    events = tuple(await tx.events.of(rental.id))
    usual = await tx.rentals.usual_ready(rental.vendor, _gpu(rental)) if rental.vendor else None
    return RentalDetails(
        rental=rental,
        attempts=snapshot.attempts,
        resources=snapshot.resources,
        ledger=snapshot.ledger,
        events=events,
        spent=snapshot.spent(now),
        usual=None if usual is None else timedelta(seconds=round(usual)),
        names=await tx.people.names(_named(rental, events)),
        owners_live=tuple(await tx.rentals.live(rental.owner)) if waits else (),
    )


def _gpu(rental: Rental) -> str:
    return rental.request.gpu


def _named(rental: Rental, events: Iterable[Event]) -> set[str]:
    people = {rental.owner, rental.approved_by} | {event.actor for event in events}
    people.add(rental.ending.by if rental.ending else None)
    people.add(rental.alarm.taken_on_by if rental.alarm else None)
    return {person for person in people if person is not None}


async def show(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """One rental with its history. Raises Mistake for an unknown id, Refused for who may not look."""
    async with deps.store.read() as tx:
        return await details(tx, await _known(tx, deps, person, rental_id), deps.clock.now())


async def to_open(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """A rental with the way into its machine, for its owner alone. Raises as `show` does, Refused for others."""
    async with deps.store.read() as tx:
        rental = await _known(tx, deps, person, rental_id)
        if rental.owner != person.id:
            name = (await tx.people.names([rental.owner])).get(rental.owner) or "its owner"
            raise Refused(f"Only {name} gets the command for {rental.id}.")
        return await details(tx, rental, deps.clock.now())


async def _known(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    rental = await tx.rentals.get(rental_id)
    if rental is None or not may_look(person, rental.owner, deps.rules):
        check_user(person, deps.rules)  # who may not look isn't told either which ids there are
        raise Mistake(f"I don't know {rental_id}. /gpu list shows yours.")
    return rental


async def listing(deps: Deps, person: Person, *, everyone: bool, most: int) -> RentalList:
    """What is not over: the person's or everyone's, at most `most` of it, with the sums of all. Raises Refused.

    Slack waits for it, so its queries are as many whether one rental lives or a thousand do.
    """
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        now = deps.clock.now()
        live = await tx.rentals.live_costs()
        spent = {one.rental_id: so_far(one.billed, one.alive, now, estimated=one.estimated) for one in live}
        own = [one for one in live if one.owner == person.id]
        wanted = live if everyone else own
        first = [one.rental_id for one in wanted[:most]]
        rentals = await tx.rentals.known(first)
        names = await tx.people.names({rental.owner for rental in rentals.values()})
    return RentalList(
        shown=tuple(RentalSummary(rental=rentals[one], spent=spent[one], names=names) for one in first),
        more=len(wanted) - len(first),
        own=_sums(own, spent),
        team=_sums(live, spent),
    )


def _sums(live: Iterable[LiveCost], spent: Mapping[str, AccruedCost]) -> CostTotals:
    together = tuple(live)
    buying = [one for one in together if one.state is not State.AWAITING_APPROVAL]
    return CostTotals(
        rate=sum((one.rate or Decimal(0) for one in buying), start=Decimal(0)),
        amount=sum(spent[one.rental_id].amount for one in together),
    )
