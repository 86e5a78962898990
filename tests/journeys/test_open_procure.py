"""Cancel and destroy while the vendor is still being asked: nothing is bought for nobody."""

from __future__ import annotations

import pytest

from tests.journeys.checks import adds_up
from tests.journeys.world import World

pytestmark = pytest.mark.parametrize("when", ["before", "after"])


async def test_cancelled_while_it_rents(world: World, when: str) -> None:
    """The call goes through all the same; what it bought is destroyed."""
    offers = await world.offers()
    held = await world.hold("procure_offer", when)
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    rental = await world.rental_of_new_card()
    await world.cancels("Ana", rental)
    await held.release()
    await world.play.settle()
    await world.until_card(rental, "Cancelled")
    await adds_up(world, bought=["hyperstack"])


async def test_destroyed_by_an_admin_while_it_rents_and_killed_then(world: World, when: str) -> None:
    """Nobody knows what the call did; the next start finds out."""
    offers = await world.offers()
    held = await world.hold("procure_offer", when)
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    rental = await world.rental_of_new_card()
    await world.commands("Cleo", f"destroy {rental}")
    await world.confirms("Cleo")
    await world.kill()
    await held.dropped()
    await world.restart()
    await world.until_card(rental, "Cancelled")
    await adds_up(world, bought=[] if when == "before" else ["hyperstack"])
