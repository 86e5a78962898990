"""Creates rentals of the team in certain states, for the tests of clicks and commands."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import RequestFacts
from bot.model.records import Change
from bot.model.rental import Decider, Lease, Question, Rental
from sandbox.slack.default import ANA, APPROVALS, BEN
from tests.events import facts_for
from tests.handlers.team import NOON, Team, an_offer
from tests.rentals import waiting
from tests.store import make

H = timedelta(hours=1)


async def asked(ours: Team, user: str = ANA, note: str = "") -> Rental:
    """Return a request over the hourly limit that waits for approval, with its message to the approvers posted."""
    message = await ours.offered(user, an_offer(f"o-{user}", "12.00"), note=note)
    await ours.click(user, message, "Ask for")
    assert (await ours.submit(user))["ok"]
    await ours.deliver()
    (rental,) = [rental for rental in await ours.rentals() if rental.owner == user]
    return rental


async def let_the_owner_decide(ours: Team, rental: Rental) -> None:
    """Let the owner decide about a waiting request at a price that is outside its terms and needs a dialog."""
    terms = changed(rental.terms, price=Decimal("9.00"), max_rate=Decimal("9.00"), total=60_000_000)
    decision = changed(waiting(rental), decider=Decider.OWNER)
    after = make.next_of(rental, decision=decision, terms=terms)
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, after))


async def question(ours: Team, user: str = BEN) -> dict[str, Any]:
    """Return the message to the approvers as `user` sees it."""
    return await ours.look(user, APPROVALS, "Approve up to")


async def change_request(ours: Team, rental: Rental) -> None:
    """Change a request as its owner can, by storing the next version of its terms."""
    terms = changed(rental.terms, version=2)
    after = make.next_of(rental, terms=terms)
    event = Event(
        rental_id=rental.id,
        kind=EventKind.CHANGED,
        at=ours.clock.now(),
        actor=rental.owner,
        facts=RequestFacts(terms=2, total=terms.total, people=(BEN,), admins_decide=False),
    )
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, after, (event,)))


async def running(ours: Team) -> Rental:
    """Return Ana's machine, ready for 6 hours since noon, with its card and her direct message posted."""
    return await make_ready(ours, await ours.rented())


async def starting(ours: Team, offer_id: str, gpu: str = "A100", user: str = ANA) -> Rental:
    """Return a rental of another GPU that is being purchased."""
    message = await ours.offered(user, an_offer(offer_id, "2.42", gpu=gpu, family=gpu), gpu=gpu)
    await ours.click(user, message, "Rent")
    return next(rental for rental in await ours.rentals() if rental.clicked_offer == offer_id)


async def make_ready(ours: Team, rental: Rental) -> Rental:
    """Make a rental ready for 6 hours since noon, and post its card and direct message."""
    provisioning = transitions.accept(rental, now=NOON, due_at=NOON)
    lease = Lease(ready_at=NOON, ends_at=NOON + 6 * H, notices_checked_at=NOON, seen_at=NOON, question=Question())
    ready = transitions.become_ready(provisioning, host="203.0.113.7", port=22, rate=Decimal("2.15"), lease=lease)
    ready = changed(ready, vendor="hyperstack", due_at=None)
    event = Event(rental_id=rental.id, kind=EventKind.READY, at=NOON, facts=facts_for(EventKind.READY))
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, provisioning))
        await apply(tx, ours.deps, Change(provisioning, ready, (event,)))
    await ours.deliver()
    return ready
