"""SIGKILL while the sandbox holds a request of the bot, before or after the request takes effect."""

from __future__ import annotations

import pytest

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

POSTS = (("Starting", "before"), ("Starting", "after"), ("Renting from", "after"), ("is ready", "after"))
"""Words of the card, of a reply in its thread, and of the owner's direct message, with the moment of the kill."""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_after_a_kill_in_any_request_the_next_start_continues(world: World, when: str) -> None:
    """The bot is killed while it rents, polls, edits a card, and deletes."""
    offers = await world.offers()
    held = await world.hold("procure_offer", when)
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    await world.kill()
    await held.dropped()
    await world.restart()
    rental = await world.rental()
    while not await world.bought():
        await world.next_due_time()
    held = await world.hold("offer_status", when)
    await world.until_met(held)
    await world.kill()
    await held.dropped()
    await world.restart()
    held = await world.hold("chat.update", when, match="Ready")
    await world.until_met(held)
    await world.kill()
    await held.dropped()
    await world.restart()
    await world.until_card(rental, "Ready")
    held = await world.hold("delete_resource", when)
    await world.asks_to_destroy("Ana", rental)
    await held.met()
    await world.kill()
    await held.dropped()
    await world.restart()
    await world.until_card(rental, "Ended")
    # A call that was held before it acted bought nothing. Once that is proven, the next offer is bought.
    await check_consistency(world, bought=["nebius" if when == "before" else "hyperstack"])


async def test_messages_are_posted_once_despite_kills(world: World) -> None:
    offers = await world.offers()
    (words, when), *others = POSTS
    held = await world.hold("chat.postMessage", when, match=words)
    await world.clicks("Ana", offers, "Rent")
    for words, when in others:
        await world.until_met(held)
        await world.kill()
        await held.dropped()
        held = await world.hold("chat.postMessage", when, match=words)
        await world.start()
    await world.until_met(held)
    await world.kill()
    await held.dropped()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    # The purchase runs at the same time. If a kill interrupts it too, the next offer may be bought.
    bought = await world.bought()
    assert len(bought) == 1
    await check_consistency(world, bought=bought)
