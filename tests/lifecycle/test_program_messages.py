"""A machine that a program rented: what its owner is told, and how it ends without a notice."""

from __future__ import annotations

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter, change_owner
from bot.lifecycle.deps import transact
from bot.model.event import EventKind as E
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Tx
from tests.lifecycle.leases import be_down_until, count, destroyed_at, direct_messages, end_of
from tests.lifecycle.world import BEN, HOUR, World
from tests.store import make


async def by_program(here: World, rental: Rental) -> Rental:
    """Make a rental that of a program, and return it once its machine is ready."""

    async def decision(tx: Tx) -> None:
        now = await here.rental(rental.id)
        await apply(tx, here.deps, Change(now, alter(now, program=make.program())))

    await transact(here.deps, decision)
    return await here.until(rental, State.READY)


async def test_a_programs_machine_ends_on_time_without_a_message_to_its_owner(here: World) -> None:
    rental = await by_program(here, await here.get(lease=3 * HOUR))
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await direct_messages(here, rental) == 0
    assert await count(here, rental, E.ENDING) == 0


async def test_a_programs_machine_ends_on_time_while_slack_is_down(here: World) -> None:
    rental = await by_program(here, await here.get(lease=3 * HOUR))
    here.slack_is_down = True
    await be_down_until(here, end_of(rental))
    assert await destroyed_at(here, rental) == end_of(rental)


async def test_the_owner_of_a_programs_machine_reads_who_destroyed_it(here: World) -> None:
    rental = await by_program(here, await here.get())
    await here.destroy(rental, BEN)
    assert await direct_messages(here, rental) == 1


async def test_a_new_owner_of_a_programs_machine_is_notified_of_its_end(here: World) -> None:
    rental = await by_program(here, await here.get(lease=3 * HOUR))

    async def decision(tx: Tx) -> None:
        now = await here.rental(rental.id)
        await apply(tx, here.deps, Change(now, change_owner(now, BEN.id, here.now)))

    await transact(here.deps, decision)
    await destroyed_at(here, rental)
    assert await count(here, rental, E.ENDING) > 0
