"""Vendors that misbehave: what people read in Slack, and that everything bought is billed and gone in the end.

`tests/lifecycle` has what the bot does in each case.
"""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

PATIENCE = timedelta(minutes=16)
"""Longer than the bot waits for a machine to get ready."""


async def test_sold_out_at_two_vendors_it_is_rented_from_the_third_at_once_which_then_takes_it_back(
    world: World,
) -> None:
    for vendor in ("nebius", "hyperstack"):
        await world.sandbox.vendor(vendor, "sold_out")
    offers = await world.offers(text="get L40S EU for 1h")
    clicked = await world.now()
    await world.play.clicks("Ana", offers, "Rent from $0.98/h")
    rental = await world.rental()
    assert (await world.thread(rental))[-1].startswith(
        "Hyperstack looks sold out. Now 1x L40S PCIe 48 GB from DataCrunch at about $1.06/h: "
        "about $0.08 over what you clicked"
    )
    assert [machine.vendor for machine in await world.alive()] == ["datacrunch"]
    assert await world.now() - clicked < timedelta(seconds=20)
    await world.until_card(rental, "Ready")
    (machine,) = await world.alive()
    await world.sandbox.vanish(machine.resource_id, "deleted")
    await world.until_card(rental, "Lost", within=timedelta(minutes=10))
    world.play.sees("Ana", "Lost", dm=True)
    await check_consistency(world, bought=["datacrunch"])


async def test_killed_after_two_failed_purchases_and_a_third_all_machines_that_they_made_are_deleted(
    world: World,
) -> None:
    """The kill comes between the second answer and the next intent, while new offers are searched."""
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
    await world.play.clicks("Ana", card, "Go on")
    waits = (await world.thread(rental))[-1]
    assert waits.startswith('Scaleway answered: "The vendor did not confirm the order in time". I make sure that')
    assert "at these 3 places (about 2 min), then try the next" in waits
    await world.until_card(rental, "Ready")
    thread = await world.thread(rental)
    assert sum("made a machine although it said that it failed" in reply for reply in thread) == 3
    assert sum(reply.startswith("The extra machine at") for reply in thread) == 3
    (machine,) = await world.alive()
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack", "nebius", "scaleway", machine.vendor])


async def test_a_lost_answer_a_machine_that_never_gets_ready_and_a_deletion_that_fails_end_billed_and_gone(
    world: World,
) -> None:
    # The answer is lost, and the account's cache is behind it: one machine is bought.
    await world.sandbox.vendor("hyperstack", "stale_cache", seconds=120)
    await world.sandbox.add_fault("procure_offer", "cut_after")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    assert await world.bought() == ["hyperstack"]

    # A machine that never gets ready costs so much that its owner decides again.
    await world.sandbox.vendor("hyperstack", "slow")
    rental = await world.rents()
    await world.skips(PATIENCE)
    assert any("Hyperstack did not get it ready" in reply for reply in await world.thread(rental))
    card = await world.until_card(rental, "Waiting for Ana")
    await world.play.clicks("Ana", card, "Go on")
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    assert await world.bought() == ["hyperstack", "hyperstack", "nebius"]

    # A deletion fails for five minutes: owner and admin are notified until one looks after it.
    await world.sandbox.vendor("hyperstack", "delete_500", seconds=400)
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.skips(timedelta(minutes=5))
    alarm = world.play.sees("Cleo", "Not confirmed gone", dm=True)
    world.play.sees("Ana", "Not confirmed gone", dm=True)
    assert "The vendor did not answer" in alarm.reads
    await world.play.clicks("Cleo", alarm, "I'm on it")
    assert any("Cleo is on it" in reply for reply in await world.thread(rental))
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack", "hyperstack", "nebius", "hyperstack"])
