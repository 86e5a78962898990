"""Vendors that misbehave: what people read in Slack, and that everything bought is billed and gone in the end.

`tests/lifecycle` has what the bot does in each case.
"""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

PATIENCE = timedelta(minutes=16)
"""Longer than the bot waits for a machine to get ready."""


async def test_sold_out_at_one_vendor_it_is_rented_from_the_next_which_then_takes_it_back(world: World) -> None:
    await world.sandbox.vendor("hyperstack", "sold_out")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    assert any("sold out" in reply and "$0.27 over" in reply for reply in await world.thread(rental))
    (machine,) = await world.alive()
    await world.sandbox.vanish(machine.resource_id, "deleted")
    await world.until_card(rental, "Lost", within=timedelta(minutes=10))
    world.play.sees("Ana", "Lost", dm=True)
    await check_consistency(world, bought=["nebius"])


async def test_a_machine_that_never_gets_ready_costs_so_much_that_its_owner_decides_again(world: World) -> None:
    await world.sandbox.vendor("hyperstack", "slow")
    rental = await world.rents()
    await world.skips(PATIENCE)
    assert any("Hyperstack did not get it ready" in reply for reply in await world.thread(rental))
    card = await world.until_card(rental, "Waiting for Ana")
    await world.play.clicks("Ana", card, "Go on")
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack", "nebius"])


async def test_with_the_answer_lost_and_the_accounts_cache_behind_it_is_bought_once_and_destroyed(
    world: World,
) -> None:
    await world.sandbox.vendor("hyperstack", "stale_cache", seconds=120)
    await world.sandbox.add_fault("procure_offer", "cut_after")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])


async def test_if_a_deletion_fails_for_five_minutes_owner_and_admin_are_notified_until_one_looks_after_it(
    world: World,
) -> None:
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
    await check_consistency(world, bought=["hyperstack"])
