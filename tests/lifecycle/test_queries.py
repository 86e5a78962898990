"""Lists show the same costs as each rental's details, and take as many SQL queries for many rentals as for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from bot.clock import MovedClock
from bot.lifecycle.actions import queries
from bot.lifecycle.actions.home import home_for
from bot.lifecycle.deps import Deps
from bot.model.admin_question import AdminDecision, AdminQuestion, Decided, Purchase, UnmanagedMachine
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.person import Person
from bot.model.records import Change
from bot.model.state import State
from bot.model.summary import AccruedCost, CostTotals, RentalList, UnmanagedTotal
from bot.policy.team.rules import Rules
from store.db import Database
from tests.databases import ON_SQLITE, START
from tests.store import make
from tests.store.make import ANA, BEN

HOUR = timedelta(hours=1)
RATE = Decimal("2.15")
READER = Person(id=ANA, name="Ana")


@pytest.fixture
def deps(database: Database, clock: MovedClock) -> Deps:
    clock.put(START + 3 * HOUR)
    return Deps(store=database, clock=clock, rules=Rules())


async def in_use(database: Database, rental_id: str, owner: str = ANA, **fields: Any) -> None:
    """Store a rental whose machine has been in use since START. `fields` are reported by the marketplace."""
    rental = make.rental(rental_id, owner=owner, state=State.READY, attempts=1, rate=RATE)
    machine = make.resource(f"res-{rental_id}", rental_id, **{"rate": RATE, "valid_from": START, **fields})
    await make.store_rental(database, rental, make.attempt(rental_id, state=AttemptState.BOUGHT))
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=rental, resources=(machine,)))


async def after_one_that_failed(database: Database, rental_id: str, owner: str = ANA) -> None:
    """Store a rental in use whose first machine is terminated and in the ledger."""
    await in_use(database, rental_id, owner)
    rental = make.rental(rental_id, owner=owner, state=State.READY, attempts=2, rate=RATE)
    terminated = make.attempt(rental_id, state=AttemptState.TERMINATED)
    second = make.attempt(rental_id, 2, state=AttemptState.BOUGHT)
    dead = make.resource(
        f"res-{rental_id}", rental_id, status="deleted", terminated_at=START + HOUR, read_at=START + HOUR
    )
    machine = make.resource(f"new-{rental_id}", rental_id, 2, rate=RATE, valid_from=START + HOUR)
    row = make.ledger_row(f"res-{rental_id}", rental_id, owner=owner)
    async with database.write() as tx:
        before = await tx.rentals.get(rental_id)
        assert before is not None
        await tx.rentals.apply(
            Change(
                before=before,
                after=make.next_of(rental),
                attempts=(terminated, second),
                resources=(dead, machine),
                ledger=(row,),
            )
        )


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Collect the statements that read from the database."""
    statements: list[str] = []

    def running(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        statements.append(sql)

    reader = database.engines.reader.sync_engine
    event.listen(reader, "before_cursor_execute", running)
    yield statements
    event.remove(reader, "before_cursor_execute", running)


async def everyone(deps: Deps) -> RentalList:
    return await queries.live_rentals(deps, READER, everyone=True, most=15)


async def own(deps: Deps) -> RentalList:
    return await queries.live_rentals(deps, READER, everyone=False, most=15)


async def test_a_list_shows_the_same_cost_as_each_rentals_details(database: Database, deps: Deps) -> None:
    await in_use(database, "aaaaa")
    await in_use(database, "bbbbb", BEN, rate=None)
    await in_use(database, "ccccc", valid_from=None)
    await in_use(database, "ddddd", valid_to=START + HOUR)
    await after_one_that_failed(database, "eeeee")
    back = make.rental("fffff", state=State.READY, attempts=1, rate=RATE)
    await in_use(database, "fffff")
    async with database.write() as tx:
        row = make.ledger_row("res-fffff", "fffff", ended_at=START + 2 * HOUR, amount=4_300_000, estimated=True)
        await tx.rentals.apply(Change(before=back, after=back, ledger=(row,)))
    live = await everyone(deps)
    details = {row.rental.id: await queries.show(deps, READER, row.rental.id) for row in live.shown}
    assert list(details) == ["aaaaa", "bbbbb", "ccccc", "ddddd", "eeeee", "fffff"]
    assert [row.spent for row in live.shown] == [each.spent for each in details.values()]
    assert [row.rental for row in live.shown] == [each.rental for each in details.values()]
    assert [row.spent.amount for row in live.shown] == [6_450_000] * 3 + [2_150_000] + [6_450_000] * 2
    assert [row.spent.estimated for row in live.shown] == [False, True, True, False, False, True]


async def test_totals_include_live_rentals_that_are_not_shown(database: Database, deps: Deps) -> None:
    for rental_id, owner in (("aaaaa", ANA), ("bbbbb", BEN), ("ccccc", ANA), ("ddddd", ANA)):
        await in_use(database, rental_id, owner)
    waits = make.rental("eeeee", state=State.AWAITING_APPROVAL, rate=RATE)
    over = make.rental("fffff", state=State.DESTROYED, rate=RATE)
    await make.store_rental(database, waits)
    await make.store_rental(database, over)
    everything = await queries.live_rentals(deps, READER, everyone=True, most=2)
    assert [row.rental.id for row in everything.shown] == ["aaaaa", "bbbbb"]
    assert everything.more == 3
    assert (everything.own.rate, everything.own_amount) == (3 * RATE, 3 * 6_450_000)
    assert (everything.team.rate, everything.team.count) == (4 * RATE, 4)
    hers = await queries.live_rentals(deps, READER, everyone=False, most=2)
    assert [row.rental.id for row in hers.shown] == ["aaaaa", "ccccc"]
    assert (hers.more, hers.own, hers.team) == (2, everything.own, everything.team)


async def test_the_total_of_unmanaged_machines_counts_undecided_ones(database: Database, deps: Deps) -> None:
    def machine(name: str, rate: Decimal | None) -> UnmanagedMachine:
        return UnmanagedMachine(resource_id=name, status="running", runs=True, rate=rate, since=START)

    def question(name: str, *machines: UnmanagedMachine, **fields: Any) -> AdminQuestion:
        return AdminQuestion(id=name, about=Purchase(machines=machines), found_at=START, asked_at=START, **fields)

    not_ours = Decided(decision=AdminDecision.NOT_OURS, by=BEN, at=START)
    async with database.write() as tx:
        await tx.questions.add(question("u1", machine("r1", RATE), machine("r2", None)))
        await tx.questions.add(question("u2", machine("r3", RATE), decided=not_ours))
    live = await own(deps)
    assert live.unmanaged_total == UnmanagedTotal(count=2, rate=RATE, unpriced=1)
    assert live.unmanaged == ()


async def test_a_list_includes_billed_rentals_that_ended_last_week(database: Database, deps: Deps) -> None:
    async def over(rental_id: str, ended_at: datetime, *, owner: str = ANA, billed: bool = True) -> None:
        rental = make.rental(rental_id, owner=owner, state=State.DESTROYED, over_at=ended_at)
        await make.store_rental(database, rental, make.attempt(rental_id, state=AttemptState.TERMINATED))
        row = make.ledger_row(f"res-{rental_id}", rental_id, owner=owner, amount=4_300_000)
        terminated = make.resource(f"res-{rental_id}", rental_id, status="deleted", terminated_at=ended_at)
        if billed:
            async with database.write() as tx:
                await tx.rentals.apply(Change(before=rental, after=rental, resources=(terminated,), ledger=(row,)))
                await tx.budgets.add_charges(
                    [make.charge(f"res-{rental_id}", rental_id, owner=owner, amount=4_300_000)]
                )

    now = deps.clock.now()
    await over("aaaaa", now - timedelta(days=6))
    await over("bbbbb", now - HOUR, owner=BEN)
    await over("ccccc", now - timedelta(days=8))
    await over("ddddd", now - HOUR, billed=False)
    hers, everyones = await own(deps), await everyone(deps)
    spent = AccruedCost(amount=4_300_000, estimated=False)
    assert [(one.rental_id, one.spent) for one in hers.ended] == [("aaaaa", spent)]
    assert [(one.rental_id, one.spent) for one in everyones.ended] == [("bbbbb", None), ("aaaaa", spent)]


@ON_SQLITE
async def test_a_list_without_live_rentals_is_empty_and_costs_nothing(deps: Deps) -> None:
    live = await everyone(deps)
    assert (live.shown, live.more, live.team) == ((), 0, CostTotals(count=0, rate=Decimal(0)))


@ON_SQLITE
async def test_a_list_shows_the_names_of_known_owners(database: Database, deps: Deps) -> None:
    async with database.write() as tx:
        await tx.people.put(Person(id=ANA, name="Ana"), START)
    await in_use(database, "aaaaa")
    await in_use(database, "bbbbb", BEN)
    assert [row.names for row in (await everyone(deps)).shown] == [{ANA: "Ana"}] * 2


async def test_a_long_list_takes_no_more_queries_than_a_short_one(database: Database, deps: Deps) -> None:
    """Both the list of all rentals and a person's own list are checked."""
    await after_one_that_failed(database, "first")
    for_one = []
    for look in (everyone, own):
        with counted(database) as queries:
            await look(deps)
        for_one.append(len(queries))
    for n in range(20):
        await after_one_that_failed(database, f"rent{n}", ANA if n % 2 else f"U{n}")
    for look, few in zip((everyone, own), for_one, strict=True):
        with counted(database) as queries:
            live = await look(deps)
        assert len(live.shown) + live.more > 10, look
        assert len(queries) == few <= 11, look


@ON_SQLITE
async def test_details_of_many_people_and_events_take_no_more_queries(database: Database, deps: Deps) -> None:
    await in_use(database, "aaaaa")
    with counted(database) as for_few:
        await queries.show(deps, READER, "aaaaa")
    rental = make.rental("aaaaa", state=State.READY, attempts=1, rate=RATE)
    kept = tuple(make.event(EventKind.KEPT, "aaaaa", actor=f"U{n}") for n in range(20))
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=make.next_of(rental), events=kept))
    with counted(database) as for_many:
        details = await queries.show(deps, READER, "aaaaa")
    assert len(details.events) == 21
    assert len(for_many) == len(for_few)


async def test_home_has_pages_of_the_readers_own_rentals(database: Database, deps: Deps) -> None:
    none = await home_for(deps, READER, 0)
    assert none is not None
    assert (none.live.shown, none.live.more, none.page, none.spent, none.budgets) == ((), 0, 0, 0, ())
    ids = [f"a{n:04}" for n in range(60)]
    for rental_id in ids:
        await make.store_rental(database, make.rental(rental_id, state=State.AWAITING_APPROVAL))
    await make.store_rental(database, make.rental("bbbbb", owner=BEN, state=State.AWAITING_APPROVAL))
    seen = []
    for page in range(6):
        home = await home_for(deps, READER, page)
        assert home is not None
        seen += [one.rental.id for one in home.live.shown]
        assert (home.page, home.live.more) == (page, 50 - 10 * page)
    assert sorted(seen) == ids
    past_the_end = await home_for(deps, READER, 6)
    assert past_the_end is not None
    assert (past_the_end.page, past_the_end.live.more) == (0, 50)


@ON_SQLITE
async def test_home_is_empty_for_people_who_may_not_use_the_bot(deps: Deps) -> None:
    assert await home_for(deps, changed(READER, guest=True), 0) is None
