"""A rental without trouble, from the command in Slack to the receipt."""

from __future__ import annotations

from tests.journeys.checks import adds_up
from tests.journeys.world import World


async def test_a_machine_is_rented_used_and_destroyed(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])
