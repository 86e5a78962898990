"""A rental whose step fails is told of, and its machine is deleted all the same, on a path of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from bot.errors import StoreBusy, TooLate
from bot.lifecycle.ports.outside import Market
from bot.lifecycle.ports.store import Store, Tx
from bot.lifecycle.service import leasing
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.quote import QuoteState
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Database
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, SECOND, World
from tests.rentals import ending, waiting

GRACE = 15 * MINUTE
TIME_OUT = 15 * MINUTE


class Senseless:
    """A market whose answers about machines the bot can't take in, while they are broken."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.broken = True

    def __getattr__(self, name: str) -> Any:
        if self.broken and name in {"progress", "resource", "resources"}:
            return self._break
        return getattr(self._market, name)

    async def _break(self, *_: Any, **__: Any) -> Any:
        raise OverflowError


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """What is logged. It is not printed: that would take most of the time that these tests have."""
    with capture_logs() as lines:
        yield lines


def breaks(here: World) -> Senseless:
    """From now on each step that looks at a machine fails."""
    market = Senseless(here.deps.market)
    here.works_with(replace(here.deps, market=cast(Market, market)))
    return market


def ends(rental: Rental) -> datetime:
    return rental.running.ends_at


async def over(here: World, rental: Rental, end: State) -> None:
    """It comes to this end, with the ledger that the vendor's bill has."""
    await here.until(rental, end)
    assert await here.alive() == []
    assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()


async def execute(here: World, statement: str, of: str) -> None:
    """Change the database without the bot."""
    async with cast(Database, here.deps.store).engines.writer.begin() as conn:
        await conn.execute(text(statement), {"of": of})
        await conn.commit()


# --- people are told


async def test_three_failed_steps_in_a_row_are_told_once_with_the_number_in_the_log(
    here: World, logs: list[Any]
) -> None:
    rental = await here.ready()
    market = breaks(here)
    await here.pass_time(ends(rental) - here.now - HOUR)
    failed = [line for line in logs if line["event"] == "step.failed"]
    assert len(failed) > 3
    (number,) = {line["number"] for line in failed}
    told = await here.notices(E.STEP_FAILED)
    assert [person for person, _ in told] == [ANA.id, CLEO.id]
    facts = told[0][1].facts
    assert (facts.name, facts.number, facts.count) == (rental.id, number, 3)
    assert facts.until == ends(rental) + 2 * GRACE
    assert (await here.rental(rental.id)).version == rental.version

    # A restart neither tells it again nor forgets to tell that it works.
    here.works_with(here.deps)
    await here.pass_time(10 * MINUTE)
    assert len(await here.notices(E.STEP_FAILED)) == 2
    market.broken = False
    await here.pass_time(10 * MINUTE)
    deps = await here.notices(E.STEP_WORKS)
    assert [(person, event.facts.number) for person, event in deps] == [(ANA.id, number), (CLEO.id, number)]
    await over(here, await here.destroy(rental), State.DESTROYED)


async def test_two_failed_steps_are_told_nobody(here: World) -> None:
    rental = await here.ready()
    market = breaks(here)
    await here.pass_time(4 * MINUTE + 30 * SECOND)
    market.broken = False
    await here.pass_time(10 * MINUTE)
    assert await here.notices(E.STEP_FAILED) + await here.notices(E.STEP_WORKS) == []
    await over(here, await here.destroy(rental), State.DESTROYED)


async def test_a_step_that_goes_on_failing_is_told_again_after_two_hours(here: World) -> None:
    rental = await here.ready(lease=6 * HOUR)
    market = breaks(here)
    await here.pass_time(4 * HOUR + 30 * MINUTE)
    assert len(await here.notices(E.STEP_FAILED)) == 2 * 3
    market.broken = False
    await over(here, await here.destroy(rental), State.DESTROYED)


# --- the machine is deleted


async def test_a_machine_in_use_whose_step_fails_is_deleted_two_graces_after_its_end(here: World) -> None:
    rental = await here.ready()
    market = breaks(here)
    await here.pass_time(ends(rental) + 2 * GRACE - SECOND - here.now)
    assert len(await here.alive()) == 1
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    told = await here.notices(E.DELETED_OVERDUE)
    assert [person for person, _ in told] == [ANA.id, CLEO.id]
    assert (await here.rental(rental.id)).state is State.READY
    with pytest.raises(TooLate, match="being destroyed"):
        await leasing.extend(here.deps, ANA, rental.id, HOUR)
    await here.pass_time(2 * HOUR)
    deletes = len(await here.calls("delete_resource"))
    assert deletes < 10
    market.broken = False
    await over(here, rental, State.DESTROYED)
    assert ending(await here.rental(rental.id)).why is Why.LEASE_ENDED
    assert E.LOST not in await here.details(rental)
    assert len(await here.notices(E.DELETED_OVERDUE)) == 2


async def test_a_machine_that_its_owner_destroyed_is_deleted_one_grace_later(here: World) -> None:
    rental = await here.ready()
    market = breaks(here)
    rental = await here.destroy(rental)
    await here.pass_time(GRACE - SECOND)
    assert len(await here.alive()) == 1
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    market.broken = False
    await over(here, rental, State.DESTROYED)


class Wrong:
    """A Prober with a bug."""

    async def banner(self, host: str, port: int) -> bool:
        raise OverflowError


@pytest.mark.parametrize("seen", [True, False])
async def test_a_machine_that_is_being_made_is_deleted_one_grace_after_its_time_out(
    here: World, *, seen: bool
) -> None:
    """Also if the store never learned its id. When the step works again, nothing is bought without asking."""
    good = here.deps
    rental = await here.get()
    if seen:
        await here.pass_time(MINUTE)
        here.works_with(replace(good, prober=Wrong()))
    else:
        breaks(here)
    assert rental.accepted_at is not None
    await here.pass_time(rental.accepted_at + TIME_OUT + GRACE - SECOND - here.now)
    assert (await here.rental(rental.id)).state is State.PROVISIONING
    assert len(await here.alive()) == 1
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    here.works_with(good)
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert waiting(rental).why is Why.BUYING_BLOCKED
    assert len(await here.bought()) == 1
    await over(here, await here.withdraw(rental), State.WITHDRAWN)


async def test_what_a_lost_purchase_made_is_deleted_although_its_lookup_fails(here: World) -> None:
    await here.fault("procure_offer", "cut_after")
    market = Senseless(here.deps.market)
    good = here.deps
    here.works_with(replace(good, market=cast(Market, market)))
    rental = await here.rent(await here.ask())
    assert rental.state is State.PROCURING
    await here.pass_time(TIME_OUT + GRACE + MINUTE)
    assert await here.alive() == []
    market.broken = False
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert len(await here.bought()) == 1
    await over(here, await here.withdraw(rental), State.WITHDRAWN)


async def test_a_machine_that_was_made_during_an_outage_of_the_market_is_still_taken(here: World) -> None:
    rental = await here.get()
    endpoints = ("list_resources", "get_resource", "offer_status", "delete_resource")
    faults = [await here.fault(one, "status", status=503, times=None) for one in endpoints]
    await here.pass_time(TIME_OUT + GRACE + 5 * MINUTE)
    for fault in faults:
        await here.release(fault)
    # The deletion looks first here; the step has its turn before it acts.
    await here.overdue.delete_overdue()
    here.jump(MINUTE)
    await here.overdue.delete_overdue()
    assert len(await here.alive()) == 1
    rental = await here.until(rental, State.READY)
    assert await here.notices(E.STEP_FAILED) + await here.notices(E.DELETED_OVERDUE) == []
    await over(here, await here.destroy(rental), State.DESTROYED)


class Hanging(Senseless):
    """A market that never answers about a machine, until it is mended."""

    def __init__(self, market: Market) -> None:
        super().__init__(market)
        self.mended = asyncio.Event()

    async def _break(self, *_: Any, **__: Any) -> Any:
        await self.mended.wait()
        raise OverflowError


async def test_a_step_that_hangs_counts_as_well(here: World) -> None:
    rental = await here.ready()
    market = Hanging(here.deps.market)
    here.works_with(replace(here.deps, market=cast(Market, market)))
    here.jump(3 * MINUTE + 30 * SECOND)
    await here.engine.run_pass()
    assert here.engine.in_flight == 1
    while here.now < ends(rental) + 2 * GRACE + MINUTE:
        await here.overdue.delete_overdue()
        here.jump(MINUTE)
    assert await here.alive() == []
    market.broken = False
    market.mended.set()
    await here.engine.drain()
    await over(here, rental, State.DESTROYED)


async def test_a_failing_step_of_one_keeps_nobody_else_waiting(here: World) -> None:
    """And what its own step ends in time is not touched, though the vendor is slow to confirm."""
    rental = await here.ready()
    await here.behaves("hyperstack", "not_deleting", seconds=40 * 60)
    rental = await here.destroy(rental)
    await here.pass_time(35 * MINUTE)
    assert await here.notices(E.DELETED_OVERDUE) == []
    await over(here, rental, State.DESTROYED)


async def test_a_rental_that_cannot_be_read_is_told_and_deleted_and_keeps_nobody_else_waiting(here: World) -> None:
    rental, other = await here.ready(), await here.ready(person=BEN)
    found = await here.quote(rental.quote_id)
    broken = changed(found, id="broken", due_at=here.now, rental_id=None, state=QuoteState.LOOKING)
    async with here.deps.store.write() as tx:
        await tx.quotes.add(broken)
    await execute(
        here, "UPDATE rentals SET envelope = substr(envelope, 2), state = 'odd' WHERE id = :of", rental.id
    )
    await execute(here, "UPDATE quotes SET request = substr(request, 2) WHERE id = :of", "broken")
    await here.pass_time(10 * MINUTE)
    assert [person for person, _ in await here.notices(E.STEP_FAILED)] == [ANA.id, CLEO.id]
    await here.until(other, State.DESTROYED, within=3 * HOUR)
    assert await here.notices(E.DELETED_OVERDUE) == []
    await here.pass_time(HOUR)
    assert [person for person, _ in await here.notices(E.DELETED_OVERDUE)] == [ANA.id, CLEO.id]
    assert await here.alive() == []

    # Once it can be read again, it goes on, and so does the quote.
    await execute(here, "UPDATE rentals SET envelope = '{' || envelope, state = 'ready' WHERE id = :of", rental.id)
    await execute(here, "UPDATE quotes SET request = '{' || request WHERE id = :of", "broken")
    await here.until(rental, State.DESTROYED)
    ledger = await here.ledger(rental) + await here.ledger(other)
    assert sum(row.amount for row in ledger) == await here.bill()
    assert (await here.quote("broken")).due_at is None


# --- the end is the one that holds then


async def test_an_extension_moves_the_end_for_this_path_too(here: World) -> None:
    rental = await here.ready()
    market = breaks(here)
    await here.pass_time(ends(rental) + 2 * GRACE - MINUTE - here.now)
    extended = await leasing.extend(here.deps, ANA, rental.id, HOUR)
    await here.pass_time(30 * MINUTE)
    assert len(await here.alive()) == 1
    market.broken = False
    assert await here.notices(E.DELETED_OVERDUE) == []
    await here.until(rental, State.DESTROYED, within=2 * HOUR)
    assert here.now >= ends(extended)


class Between(Senseless):
    """Somebody does something just before the deletion, after the machines were looked up."""

    def __init__(self, market: Market, act: Callable[[], Any]) -> None:
        super().__init__(market)
        self._act = act

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        found = await self._market.resource_ids(offer_id)
        await self._act()
        return found


async def test_an_extension_in_the_last_moment_is_seen(here: World) -> None:
    rental = await here.ready()
    good = here.deps

    async def extend() -> None:
        await leasing.extend(good, ANA, rental.id, HOUR)

    market = Between(good.market, extend)
    here.works_with(replace(good, market=cast(Market, market)))
    await here.pass_time(ends(rental) + 2 * GRACE + MINUTE - here.now)
    assert len(await here.alive()) == 1
    assert await here.calls("delete_resource") == []
    market.broken = False
    await over(here, await here.destroy(rental), State.DESTROYED)


async def test_after_a_pause_of_the_bot_the_graces_begin_when_it_is_back(here: World) -> None:
    """Nobody could have been told of this end meanwhile."""
    rental = await here.ready()
    market = breaks(here)
    await here.oversleep(5 * HOUR)
    await here.pass_time(2 * GRACE - MINUTE)
    assert len(await here.alive()) == 1
    # A restart doesn't restart the graces: a step may be what ends the process.
    for _ in range(3):
        here.works_with(here.deps)
        await here.pass_time(20 * SECOND)
    await here.pass_time(MINUTE)
    assert await here.alive() == []
    market.broken = False
    await over(here, rental, State.DESTROYED)


# --- and the store


class Full:
    """A store that takes no writes while it is full, and can't be read while it is away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.full = True
        self.away = False
        self.on_commit = store.on_commit

    async def takes_writes(self) -> bool:
        return not self.full

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        if self.away:
            raise StoreBusy("away")
        async with self._store.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        if self.full:
            raise StoreBusy("full")
        async with self._store.write() as tx:
            yield tx


async def minutes(here: World, span: timedelta) -> None:
    """Time passes while the engine can do nothing."""
    for _ in range(int(span / MINUTE)):
        here.jump(MINUTE)
        try:
            await here.overdue.delete_overdue()
        except StoreBusy:
            continue


async def test_a_machine_is_deleted_although_it_cannot_be_written_and_is_written_down_later(here: World) -> None:
    rental = await here.ready()
    good, store = here.deps, Full(here.deps.store)
    await here.pass_time(ends(rental) - MINUTE - here.now)
    here.works_with(replace(good, store=store))
    await minutes(here, 2 * GRACE + 3 * MINUTE)
    assert await here.alive() == []
    assert [attempt.marked_for_deletion for attempt in await here.attempts(rental)] == [False]
    store.full = False
    await over(here, rental, State.DESTROYED)
    assert E.LOST not in await here.details(rental)
    assert ending(await here.rental(rental.id)).why is Why.LEASE_ENDED


async def test_while_the_store_cannot_be_read_nothing_is_deleted(here: World) -> None:
    rental = await here.ready()
    good, store = here.deps, Full(here.deps.store)
    await here.pass_time(ends(rental) - MINUTE - here.now)
    store.away = True
    here.works_with(replace(good, store=store))
    await minutes(here, HOUR)
    assert len(await here.alive()) == 1
    assert await here.calls("delete_resource") == []
    here.works_with(good)
    await over(here, rental, State.DESTROYED)
