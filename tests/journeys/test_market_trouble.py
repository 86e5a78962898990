"""Compute Clear refuses our token, or strangers use the account."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import adds_up
from tests.journeys.world import World


async def test_the_token_is_refused_for_a_while(world: World) -> None:
    """Admins are told once each way; nobody can rent meanwhile, and no rental fails."""
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
    await adds_up(world, bought=["hyperstack"])


async def test_a_machine_that_nobody_here_asked_for(world: World) -> None:
    """Admins are told once, and it is left alone."""
    made = await world.sandbox.compute.post("resources", {"name": "train-3", "gpu_type": "H100", "rate": "2.10"})
    notice = await world.play.until_sees("Cleo", "A machine I don't know", timedelta(minutes=15), dm=True)
    assert "train-3" in notice.reads
    await world.passes(timedelta(minutes=25))
    assert [machine.resource_id for machine in await world.alive()] == [made["resource_id"]]
    notices = [m for m in await world.sandbox.see(world.people["Cleo"]) if "A machine I don't know" in m.text]
    assert len(notices) == 1
    await adds_up(world, bought=[], strangers=["train-3"])
