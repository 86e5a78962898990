"""The disk is full: people are notified without the database, and leases end nevertheless."""

from __future__ import annotations

import resource
from datetime import datetime, timedelta
from typing import Any

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

MINUTE = timedelta(minutes=1)


def limit_files(world: World, size: int) -> None:
    """From now on, make each write of the bot fail that goes beyond this size of a file."""
    resource.prlimit(world.bot.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def health(world: World) -> tuple[int, dict[str, Any]]:
    async with world.session.get(world.bot.health) as answer:
        return answer.status, await answer.json()


async def next_overdue(world: World, after: datetime) -> datetime:
    """Wait until the overdue deletion is next due later than `after`. Return that due time."""
    while True:
        _, report = await health(world)
        at = report["next_overdue"]
        if at is not None and datetime.fromisoformat(at) > after:
            return datetime.fromisoformat(at)


async def test_with_a_full_disk_people_are_notified_and_leases_end(
    world: World,
) -> None:
    """Once there is space again, everything catches up."""
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    assert (await health(world))[0] == 200
    limit_files(world, 1)
    world.clock.jump(timedelta(minutes=4).total_seconds())
    admin = await world.reads("Cleo", "My database can't save anything")
    owner = await world.reads("Ana", f"The machine {rental} can't be extended right now")
    assert admin.is_dm
    assert owner.is_dm
    status, report = await health(world)
    assert status == 503
    assert report["wrong"][0] == "the database can't be written"
    assert report["engine_lateness_seconds"] > 0

    world.clock.jump(timedelta(hours=1).total_seconds())
    at = await next_overdue(world, await world.now())
    assert at - await world.now() == timedelta(minutes=30)
    await world.sandbox.jump_to(at)
    await world.until_answered("delete_resource")
    world.clock.jump(timedelta(minutes=2).total_seconds())
    await next_overdue(world, await world.now())
    assert await world.alive() == []

    limit_files(world, resource.RLIM_INFINITY)
    await world.reads("Cleo", "My database works again")
    await world.reads("Ana", f"the machine {rental} can be extended again")
    card = await world.until_card(rental, "Ended", within=timedelta(hours=1))
    assert card.buttons == ()
    assert (await health(world))[0] == 200
    await check_consistency(world, bought=["hyperstack"], outside_outbox=4)
