"""SIGKILL in each state, between requests: after the next start, the rental continues to its end."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

MANY = "get 8xH100 EU for 1h"


async def test_after_a_kill_in_any_state_the_next_start_continues(
    world: World,
) -> None:
    """The states are: waiting for approval, starting, ready, and being destroyed."""
    rental = await world.rents(text=MANY)
    card = await world.card(rental)
    assert card.text.startswith("Waiting for approval")
    await world.kill()
    await world.restart()
    await world.approves("Cleo")
    await world.next_due_time()
    assert (await world.card(rental)).text.startswith("Starting")
    await world.kill()
    await world.restart()
    await world.until_card(rental, "Ready")
    await world.kill()
    await world.restart()
    await world.skips(timedelta(minutes=40))
    await world.until_card(rental, "Being destroyed", within=timedelta(hours=1))
    await world.kill()
    await world.restart()
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"])


async def test_kills_during_market_trouble_lead_to_one_purchase(
    world: World,
) -> None:
    """The bot is killed during an outage of the market, and while the outcome of a purchase is unknown."""
    offers = await world.offers()
    away = await world.sandbox.add_fault("procure_offer", "status", status=503, times=None)
    await world.clicks("Ana", offers, "Rent")
    await away.met()
    await world.play.settle()
    rental = await world.rental()
    await world.kill()
    await away.release()
    await world.restart()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    bought = await world.bought()
    assert len(bought) == 1

    offers = await world.offers()
    lost = await world.sandbox.add_fault("procure_offer", "cut_after")
    await world.clicks("Ana", offers, "Rent")
    await lost.met()
    await world.play.settle()
    rental = await world.rental()
    assert any("answer was unclear" in reply for reply in await world.thread(rental))
    await world.kill()
    await world.restart()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=[*bought, "hyperstack"])


async def test_ends_during_a_downtime_take_effect_at_the_next_start(
    world: World,
) -> None:
    """Ana was notified of the end of her machine when it became ready, so nobody is asked first.

    An expired request can be repeated.
    """
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.kill()
    world.clock.jump(timedelta(hours=3).total_seconds())
    await world.restart()
    assert (await world.card(rental)).text.startswith("Being destroyed")
    await world.until_card(rental, "Ended")

    rental = await world.rents(text=MANY)
    await world.kill()
    world.clock.jump(timedelta(hours=24).total_seconds())  # only 8 of these are in the approvers' hours
    await world.restart()
    await world.until_card(rental, "Expired")
    expired = await world.reads("Ana", "Your request for 8x H100")
    assert expired.text.endswith(" without a decision. Nothing was rented.")
    await world.clicks("Ana", expired, "Ask again")
    await world.reads("Ana", "8x H100 in EU · 1 h")
    await check_consistency(world, bought=["hyperstack"])
