"""SIGKILL during a click or a message: no acknowledged action is lost, and none is carried out twice."""

from __future__ import annotations

import asyncio

from sandbox.slack.state import BOT_USER
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World, locked


async def test_a_click_is_lost_before_its_commit_and_done_once_after_it(
    world: World,
) -> None:
    """The bot is killed before the commit, and right after the acknowledgement."""
    offers = await world.offers()
    with locked(world.database):
        await world.clicks("Ana", offers, "Rent")
        answer = await world.reads("Ana", "couldn't save anything just now")
        assert answer.only_you
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.until_handling()
        await world.kill()
    assert not (await click).ok
    await world.restart()
    assert await world.bought() == []
    assert (await world.clicks("Ana", offers, "Rent")).ok
    await world.kill()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.asks_to_destroy("Ana", rental)
    await world.kill()
    await world.restart()
    await world.until_card(rental, "Ended")
    # If the second kill interrupts the purchase, the next offer may be bought.
    bought = await world.bought()
    assert len(bought) == 1

    # The event of a mention is delivered again after the bot was killed.
    words = "get H100 EU now"
    said = await world.writes("Ana", f"@gpubot {words}", channel="#gpus")
    await world.kill()
    await world.restart()
    mention = {"type": "app_mention", "user": PEOPLE["Ana"], "channel": said["channel"], "ts": said["ts"]}
    await world.sandbox.slack.post("event", {**mention, "text": f"<@{BOT_USER}> {words}"})
    rental = await world.rental_of_new_card()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=[*bought, "hyperstack"])
