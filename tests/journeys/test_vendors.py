"""Vendors that misbehave: what people read in Slack, and that everything bought is billed and terminated.

`tests/lifecycle` covers the bot's behaviour in each case.
"""

from __future__ import annotations

from tests.journeys.checks import check_consistency
from tests.journeys.world import World


async def test_all_machines_of_failed_purchases_are_deleted_despite_a_kill(
    world: World,
) -> None:
    """The kill comes between the second answer and the next intent, while new offers are searched for."""
    for vendor in ("hyperstack", "nebius", "scaleway"):
        await world.sandbox.vendor(vendor, "late_resource", quiet=True, times=1)
    offers = await world.offers()
    held = await world.hold("get_offers", "before")
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    await world.kill()
    await held.release()
    await world.restart()
    rental = await world.rental()
    card = await world.until_card(rental, "Waiting for Ana")
    await world.play.clicks("Ana", card, "Accept up to")
    waits = (await world.thread(rental))[-1]
    assert waits.startswith(
        'Scaleway answered: "The vendor did not confirm the order in time". Before I try the next offer, '
    )
    assert "that nothing was rented from the 3 vendors that I tried, which takes about 2 min" in waits
    await world.until_card(rental, "Ready")
    thread = await world.thread(rental)
    made = [reply for reply in thread if " made a machine for this request (resource " in reply]
    assert sum("), although it reported a failure." in reply for reply in made) == 3
    assert sum(" that this request didn't need ended" in reply for reply in thread) == 3
    (machine,) = await world.alive()
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack", "nebius", "scaleway", machine.vendor])
