"""Cancel and destroy during a purchase: a machine that it bought is not forgotten."""

from __future__ import annotations

import pytest

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

pytestmark = pytest.mark.parametrize("when", ["before", "after"])


async def test_a_purchase_that_is_cancelled_while_it_is_made_is_destroyed(world: World, when: str) -> None:
    offers = await world.offers()
    held = await world.hold("procure_offer", when)
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    rental = await world.rental_of_new_card()
    await world.cancels("Ana", rental)
    await held.release()
    await world.play.settle()
    await world.until_card(rental, "Cancelled")
    await check_consistency(world, bought=["hyperstack"])


async def test_after_a_destroy_and_a_kill_during_a_purchase_the_next_start_cleans_up(
    world: World, when: str
) -> None:
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
    await check_consistency(world, bought=[] if when == "before" else ["hyperstack"])
