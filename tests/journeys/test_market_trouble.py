"""Compute Clear refuses the bot's token."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World


async def test_while_the_token_is_refused_nobody_can_rent_and_no_rental_fails(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    offers = await world.offers(text="get L4 EU for 1h")
    await world.sandbox.compute.post("token", {"valid": False})
    await world.play.until_sees("Cleo", "refuses my token", timedelta(minutes=15), dm=True)
    await world.play.clicks("Ana", offers, "Rent")
    world.play.sees("Ana", "Nothing was rented", only_you=True)
    await world.passes(timedelta(minutes=15))
    assert (await world.card(rental)).text.startswith("Ready")
    await world.sandbox.compute.post("token", {"valid": True})
    await world.play.until_sees("Cleo", "accepts my token again", timedelta(minutes=15), dm=True)
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])
