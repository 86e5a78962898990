"""The bot on PostgreSQL, killed during a purchase."""

from __future__ import annotations

from tests.databases import Postgres, fresh_postgres, postgres
from tests.journeys.checks import check_consistency
from tests.journeys.world import World

__all__ = ["postgres"]


async def test_killed_while_it_rents_on_postgresql_it_rents_once(stopped_world: World, postgres: Postgres) -> None:
    world = stopped_world
    await world.start(GPUBOT_DATABASE_URL=await fresh_postgres(postgres))
    await world.sets_key()
    offers = await world.offers()
    held = await world.hold("procure_offer", "after")
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    await world.kill()
    await held.dropped()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])
