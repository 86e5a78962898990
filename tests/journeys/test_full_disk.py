"""The disk is full: people are told without the database, and leases end all the same."""

from __future__ import annotations

import resource
from datetime import datetime, timedelta
from typing import Any

from tests.journeys.checks import adds_up
from tests.journeys.world import World

MINUTE = timedelta(minutes=1)


def disk(world: World, room: int) -> None:
    """Every file of the bot can have so many bytes from now on, so that a write beyond them fails."""
    resource.prlimit(world.bot.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


async def health(world: World) -> tuple[int, dict[str, Any]]:
    async with world.session.get(world.bot.health) as answer:
        return answer.status, await answer.json()


async def next_overdue(world: World, after: datetime) -> datetime:
    """When the overdue deletion comes next, once it has looked after that moment."""
    while True:
        _, said = await health(world)
        at = said["next_overdue"]
        if at is not None and datetime.fromisoformat(at) > after:
            return datetime.fromisoformat(at)


async def test_a_full_disk(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    assert (await health(world))[0] == 200
    disk(world, 1)
    world.clock.jump(timedelta(minutes=4).total_seconds())
    admin = await world.reads("Cleo", "My database takes no writes")
    owner = await world.reads("Ana", f"Extend can't be written now for {rental}")
    assert admin.is_dm
    assert owner.is_dm
    status, said = await health(world)
    assert status == 503
    assert said["wrong"][0] == "the store takes no writes"
    assert said["engine_lateness_seconds"] > 0

    world.clock.jump(timedelta(hours=1).total_seconds())
    at = await next_overdue(world, await world.now())
    assert at - await world.now() == timedelta(minutes=30)
    await world.sandbox.jump_to(at)
    await world.until_answered("delete_resource")
    world.clock.jump(timedelta(minutes=2).total_seconds())
    await next_overdue(world, await world.now())
    assert await world.alive() == []

    disk(world, resource.RLIM_INFINITY)
    await world.reads("Cleo", "My database works again")
    await world.reads("Ana", f"Extend works again for {rental}")
    card = await world.until_card(rental, "Destroyed", within=timedelta(hours=1))
    assert card.buttons == ()
    assert (await health(world))[0] == 200
    await adds_up(world, bought=["hyperstack"], direct=4)
