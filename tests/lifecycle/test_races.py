"""Fifty people click at the same moment. One click decides; the others get an answer about the resulting state."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.errors import AlreadyDecided, Decision, GpubotError, Outage, TooLate
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.deciding import Approve, Deny, Withdraw
from bot.lifecycle.actions.ending import Destroy
from bot.lifecycle.actions.leasing import Extend
from bot.lifecycle.actions.renting import Rent
from bot.lifecycle.deps import Deps
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.message import Message, MessageKind
from bot.model.person import Key, Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Approvers, Limits, Rules
from store.db import Database
from tests.databases import START
from tests.store import make

CLICKS = 50
APPROVERS = tuple(f"U0APPROVER{n}" for n in range(5))
RULES = Rules(admins=("U0ADMIN",), approvers=Approvers(people=APPROVERS), home_channel=make.HOME)
HOUR = timedelta(hours=1)


def person(user_id: str) -> Person:
    return Person(id=user_id, name=user_id.title())


ANA = person(make.ANA)


@pytest.fixture
def deps(database: Database, clock: MovedClock) -> Deps:
    return Deps(store=database, clock=clock, rules=RULES)


async def race(*clicks: Coroutine[Any, Any, Rental]) -> tuple[Rental, list[GpubotError]]:
    """Run all clicks at the same time except for the last one, which comes after them.

    Returns the winner's rental, and the errors of the others: their click came too late, or the database was busy
    for too long on a slow machine.
    """
    *together, late = clicks
    answers = await asyncio.gather(*together, return_exceptions=True)
    answers += await asyncio.gather(late, return_exceptions=True)
    won = [answer for answer in answers if isinstance(answer, Rental)]
    lost = [answer for answer in answers if isinstance(answer, GpubotError)]
    assert [answer for answer in answers if not isinstance(answer, Rental | GpubotError)] == []
    assert len(won) == 1
    assert all(isinstance(answer, TooLate | Outage) and answer.words for answer in lost)
    assert isinstance(answers[-1], TooLate)
    return won[0], lost


async def kinds(database: Database, rental_id: str) -> list[EventKind]:
    async with database.read() as tx:
        return [event.kind for event in await tx.events.of(rental_id)]


async def messages(database: Database, rental_id: str) -> list[Message]:
    async with database.read() as tx:
        return [m for m in await tx.messages.due(START.replace(year=2100), 1000) if m.rental_id == rental_id]


def kinds_and_destinations(queued: Iterable[Message]) -> list[tuple[str, str]]:
    return sorted((message.kind.value, message.to.value) for message in queued)


async def quoted(database: Database, *, rate: str = "2.15") -> list[str]:
    """Store Ana's key and a quote `q1` with five offers. Return the IDs of the offers."""
    offers = tuple(make.offer(f"offer-{n}", vendor=f"vendor-{n}", rate=Decimal(rate)) for n in range(5))
    async with database.write() as tx:
        await tx.people.add_key(ANA.id, Key(line="ssh-ed25519 AAAA", comment="", fingerprint="F"))
        await tx.quotes.add(make.quote("q1", offers=offers))
    return [offer.offer_id for offer in offers]


# --- renting


async def rent(deps: Deps, person: Person, action: Rent) -> Rental:
    return (await carry_out(deps, person, action)).rental


async def test_fifty_clicks_on_one_quote_make_one_rental(database: Database, deps: Deps) -> None:
    offers = await quoted(database)
    rental, lost = await race(*(rent(deps, ANA, Rent("q1", offers[n % 5])) for n in range(CLICKS)))
    async with database.read() as tx:
        assert [r.id for r in await tx.rentals.live(ANA.id)] == [rental.id]
        quote = await tx.quotes.get("q1")
    assert quote is not None
    assert quote.rental_id == rental.id
    assert await kinds(database, rental.id) == [EventKind.STARTED]
    assert kinds_and_destinations(await messages(database, rental.id)) == [("card", make.HOME)]
    assert {answer.rental_id for answer in lost if isinstance(answer, TooLate)} == {rental.id}


async def test_fifty_clicks_make_one_rental_if_the_limit_is_one(database: Database, deps: Deps) -> None:
    limited = Deps(store=deps.store, clock=deps.clock, rules=changed(RULES, limits=Limits(per_person_rentals=1)))
    offers = await quoted(database)
    await race(*(rent(limited, ANA, Rent("q1", offers[0], another=True)) for _ in range(CLICKS)))


async def test_twenty_people_make_one_rental_if_the_teams_limit_allows_one(database: Database, deps: Deps) -> None:
    tight = Deps(
        store=deps.store,
        clock=deps.clock,
        rules=changed(RULES, limits=Limits(team_per_hour=Decimal("3.00"))),
    )
    people = [person(f"U0{n:03}") for n in range(20)]
    async with database.write() as tx:
        for n, one in enumerate(people):
            key = Key(line="ssh-ed25519 AAAA", comment="", fingerprint="F")
            await tx.people.add_key(one.id, key)
            await tx.quotes.add(make.quote(f"q{n}", owner=one.id, offers=(make.offer(f"offer-{n}"),)))
    answers = await asyncio.gather(
        *(rent(tight, one, Rent(f"q{n}", f"offer-{n}")) for n, one in enumerate(people)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Rental) for answer in answers) == 1
    assert all(isinstance(answer, Rental | GpubotError) for answer in answers)
    async with database.read() as tx:
        assert len(await tx.rentals.live()) == 1


# --- deciding


async def waiting(database: Database) -> Rental:
    return await make.store_rental(
        database,
        make.rental(
            state=State.AWAITING_APPROVAL,
            decision=make.decision(),
            due_at=START + 8 * HOUR,
        ),
    )


async def test_the_first_of_fifty_approvals_and_denials_decides(database: Database, deps: Deps) -> None:
    await waiting(database)
    approvers = [person(approver) for approver in APPROVERS]
    actions = (Deny("k7mq2", 1), Approve("k7mq2", 1))
    clicks = [carry_out(deps, approvers[n % 5], actions[n % 2]) for n in range(CLICKS)]
    rental, lost = await race(*clicks)
    assert rental.state in {State.PROCURING, State.DENIED}
    happened = await kinds(database, "k7mq2")
    approved = rental.state is State.PROCURING
    assert happened == [EventKind.STARTED, EventKind.APPROVED if approved else EventKind.DENIED]
    # An approval of the full duration is only reported in the thread.
    direct = [] if approved else [("direct", ANA.id)]
    queued = await messages(database, "k7mq2")
    assert kinds_and_destinations(queued) == [("card", make.HOME), *direct, ("thread", make.HOME)]
    decision = Decision.APPROVED if approved else Decision.DENIED
    late = [answer for answer in lost if isinstance(answer, TooLate)]
    assert [answer.decision for answer in late if isinstance(answer, AlreadyDecided)] == [decision] * len(late)


async def test_a_request_is_either_withdrawn_or_approved(database: Database, deps: Deps) -> None:
    await waiting(database)
    clicks = [
        carry_out(deps, ANA, Withdraw("k7mq2", 1))
        if n % 2
        else carry_out(deps, person(APPROVERS[n % 5]), Approve("k7mq2", 1))
        for n in range(CLICKS)
    ]
    rental, _ = await race(*clicks)
    happened = await kinds(database, "k7mq2")
    approved = rental.state is State.PROCURING
    assert happened == [EventKind.STARTED, EventKind.APPROVED if approved else EventKind.WITHDRAWN]


# --- destroying


async def in_use(database: Database) -> Rental:
    return await make.store_rental(
        database,
        make.rental(
            state=State.READY,
            attempts=1,
            rate=Decimal("2.15"),
            lease=make.lease(START + 4 * HOUR),
            due_at=START + HOUR,
        ),
        make.attempt(state=AttemptState.BOUGHT, accepted=True),
    )


async def test_fifty_clicks_destroy_a_machine_once(database: Database, deps: Deps) -> None:
    await in_use(database)
    people = [ANA, person("U0ADMIN"), *(person(approver) for approver in APPROVERS)]
    rental, lost = await race(*(carry_out(deps, people[n % len(people)], Destroy("k7mq2")) for n in range(CLICKS)))
    assert rental.state is State.DESTROYING
    assert rental.ending is not None
    assert rental.ending.outcome is State.DESTROYED
    assert await kinds(database, "k7mq2") == [EventKind.STARTED, EventKind.DESTROYING]
    queued = [m for m in await messages(database, "k7mq2") if m.kind is MessageKind.THREAD]
    assert len(queued) == 1
    assert all("is already being destroyed" in answer.words for answer in lost if isinstance(answer, TooLate))


async def test_fifty_clicks_on_one_extend_button_extend_once(database: Database, deps: Deps) -> None:
    before = await in_use(database)
    shown = before.running_lease.ends_at.replace(microsecond=0)

    async def click() -> Rental:
        return (await carry_out(deps, ANA, Extend("k7mq2", 2 * HOUR, shown_end=shown))).rental

    rental, _ = await race(*(click() for _ in range(CLICKS)))
    assert rental.running_lease.ends_at == before.running_lease.ends_at + 2 * HOUR
    assert await kinds(database, "k7mq2") == [EventKind.STARTED, EventKind.EXTENDED]
