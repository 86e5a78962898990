"""A machine runs its `/root/on-ending.sh` before its end and for a graceful destroy.

The bot is killed while the script is running.
"""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


async def test_a_restarted_bot_still_waits_for_the_script(
    world: World,
) -> None:
    """At the end of the lease, the bot waits for up to a grace period.

    After a graceful destroy, it waits for up to ten minutes.
    """
    # The first machine reaches its end. Its script runs for 17 minutes, two more than remain until the end.
    rental = await world.rents(text="get H100 EU for 1h")
    await world.until_card(rental, "Ready")
    ends_at = await world.now() + HOUR
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, on_ending={"lasts": 17 * 60})
    await world.passes(3 * MINUTE)
    assert "on-ending.sh starts at " in (await world.card(rental)).text
    await world.skips(37 * MINUTE)
    await world.passes(ends_at - 13 * MINUTE - await world.now())
    assert "on-ending.sh has been running since " in (await world.card(rental)).text
    await world.kill()
    await world.restart()
    await world.passes(ends_at + MINUTE - await world.now())
    assert [one.resource_id for one in await world.alive()] == [machine.resource_id]
    card = await world.until_card(rental, "Ended", within=HOUR)
    assert "on-ending.sh finished at " in card.text
    assert await world.now() < ends_at + 8 * MINUTE
    known = (await world.sandbox.machine(machine.resource_id)).on_ending
    assert known is not None
    assert len(known.runs) == 1

    # The second machine is destroyed gracefully. Its script hangs.
    rental = await world.rents(text="get A100 EU for 6h")
    await world.until_card(rental, "Ready")
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, on_ending={"lasts": None})
    await world.passes(3 * MINUTE)
    await world.destroys("Ana", rental)
    latest = await world.now() + 10 * MINUTE
    await world.passes(2 * MINUTE)
    card = await world.card(rental)
    assert "As Ana asked, I'll destroy it when its script /root/on-ending.sh is done" in card.text
    assert "on-ending.sh has been running since " in card.text
    await world.kill()
    await world.restart()
    await world.passes(latest - 30 * SECOND - await world.now())
    assert [one.resource_id for one in await world.alive()] == [machine.resource_id]
    card = await world.until_card(rental, "Ended", within=HOUR)
    assert "on-ending.sh was still running at the end." in card.text
    assert await world.now() < latest + 3 * MINUTE
    await check_consistency(world, bought=["hyperstack", "datacrunch"])
