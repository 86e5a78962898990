"""Vendors that misbehave as real ones do: what is told, what is bought, and that all of it goes away again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.journeys.checks import adds_up
from tests.journeys.world import World

EVERY_VENDOR = "*"
PATIENCE = timedelta(minutes=16)
"""Longer than the bot waits for a machine to get ready."""


async def destroyed(world: World, rental: str, *, bought: list[str]) -> None:
    """Its owner destroys it, and everything adds up."""
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=bought)


async def test_sold_out(world: World) -> None:
    """The next offer within what the click allowed is taken, and said with its difference."""
    await world.sandbox.vendor("hyperstack", "sold_out")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    assert any("sold out" in said and "+$0.27" in said for said in await world.thread(rental))
    await destroyed(world, rental, bought=["nebius"])


async def test_failed_and_left_a_machine(world: World) -> None:
    await world.sandbox.vendor("hyperstack", "fails_with_resource")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["hyperstack", "nebius"])


@pytest.mark.parametrize("quiet", [False, True], ids=["in progress until then", "failed until then"])
async def test_a_machine_appears_a_minute_after_the_failure(world: World, quiet: bool) -> None:
    await world.sandbox.vendor("hyperstack", "late_resource", quiet=quiet)
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["hyperstack", "nebius"])


async def test_two_of_four_machines_never_run(world: World) -> None:
    """Too slow in the end: all four are destroyed, and the next offer is taken."""
    await world.sandbox.vendor("hyperstack", "partial", times=1)
    rental = await world.rents(text="get H100 EU for 6h")
    await world.skips(PATIENCE)
    await world.until_card(rental, "Ready")
    assert len(await world.sandbox.bill()) == 5
    await destroyed(world, rental, bought=["hyperstack", "nebius"])


async def test_the_accounts_cache_lags_two_minutes_behind(world: World) -> None:
    """The procurement's answer is lost as well: bought once all the same, and gone when the vendor says so."""
    await world.sandbox.vendor("hyperstack", "stale_cache", seconds=120)
    await world.sandbox.add_fault("procure_offer", "cut_after")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["hyperstack"])


async def test_words_of_the_reference(world: World) -> None:
    await world.sandbox.vendor("hyperstack", "reference_words")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["hyperstack"])


async def test_never_ready(world: World) -> None:
    """What it cost leaves too little of a short lease's total for the next offer, so its owner decides again."""
    await world.sandbox.vendor("hyperstack", "slow")
    rental = await world.rents()
    await world.skips(PATIENCE)
    assert any("Hyperstack did not get it ready" in said for said in await world.thread(rental))
    card = await world.until_card(rental, "Waiting for Ana")
    await world.play.clicks("Ana", card, "Go on")
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["hyperstack", "nebius"])


async def test_accepted_and_failed_later(world: World) -> None:
    await world.sandbox.vendor("hyperstack", "fails_later")
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["hyperstack", "nebius"])


async def test_everyone_is_sold_out(world: World) -> None:
    await world.sandbox.vendor(EVERY_VENDOR, "sold_out")
    rental = await world.rents()
    card = await world.until_any_card(rental, ("Failed", "Waiting for"))
    if card.text.startswith("Waiting for"):
        await world.destroys("Ana", rental)
    assert any("cost nothing" in said for said in await world.thread(rental))
    await adds_up(world, bought=[])


@pytest.mark.parametrize("behaviour", ["delete_500", "not_deleting"])
async def test_a_deletion_that_is_not_confirmed(world: World, behaviour: str) -> None:
    """After five minutes owner and admin are told; who says "I'm on it" is named, and it is tried on."""
    await world.sandbox.vendor("hyperstack", behaviour, seconds=400)
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.skips(timedelta(minutes=5))
    alarm = world.play.sees("Cleo", "Not confirmed gone", dm=True)
    world.play.sees("Ana", "Not confirmed gone", dm=True)
    if behaviour == "delete_500":
        assert "The vendor did not answer" in alarm.reads
    await world.play.clicks("Cleo", alarm, "I'm on it")
    assert any("Cleo is on it" in said for said in await world.thread(rental))
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_offers_without_prices_are_not_for_sale(world: World) -> None:
    await world.sandbox.vendor("hyperstack", "no_price")
    offers = await world.offers()
    assert "Hyperstack" not in offers.reads
    await world.play.clicks("Ana", offers, "Rent")
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await destroyed(world, rental, bought=["nebius"])


@pytest.mark.parametrize("how", ["deleted", "missing"])
async def test_the_vendor_takes_it_back(world: World, how: str) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    (machine,) = await world.alive()
    await world.sandbox.vanish(machine.resource_id, how)
    await world.until_card(rental, "Lost", within=timedelta(minutes=10))
    world.play.sees("Ana", "Lost", dm=True)
    await adds_up(world, bought=["hyperstack"], estimated=how == "missing")
