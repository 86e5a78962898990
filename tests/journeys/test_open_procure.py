"""The bot is killed after a destroy during a purchase. A machine that was bought isn't forgotten."""

from __future__ import annotations

from sandbox.client import Fault
from tests.journeys.checks import check_consistency
from tests.journeys.world import World


async def test_a_destroy_during_a_purchase_leaves_no_machine_despite_a_kill(world: World) -> None:
    """A call that was held before it acted buys nothing, because the bot is killed."""
    bought: list[str] = []
    for when in ("before", "after"):
        rental, held = await begin(world, when)
        await world.commands("Cleo", f"destroy {rental}")
        await world.confirms("Cleo")
        await world.kill()
        await held.dropped()
        await world.restart()
        await world.until_card(rental, "Cancelled")
        bought += [] if when == "before" else ["hyperstack"]
        assert await world.bought() == bought, f"held {when} it acts"
        assert await world.alive() == [], when
    await check_consistency(world, bought=bought)


async def begin(world: World, when: str) -> tuple[str, Fault]:
    """Let Ana rent. Return the rental, and the fault that holds the purchase before or after it acts."""
    offers = await world.offers()
    held = await world.hold("procure_offer", when)
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    return await world.rental_of_new_card(), held
