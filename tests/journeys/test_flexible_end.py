"""A machine with a flexible end runs on while it is in use, and ends once it isn't.

The bot is killed in between.
"""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def pings(world: World) -> list[str]:
    return [ping.text for ping in await world.sandbox.pings(PEOPLE["Ana"])]


async def test_a_busy_machine_runs_past_its_earliest_end_until_work_stops(
    world: World,
) -> None:
    rental = await world.rents(text="get H100 EU for 1h up to 4h")
    await world.until_card(rental, "Ready")
    ready_at = await world.now()
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, {"all": 98})
    said = world.play.sees("Ana", "if its GPUs are busy", dm=True)
    assert "The disk is deleted when the machine ends" in said.text
    pings_before = await pings(world)

    await world.skips(20 * MINUTE)
    await world.play.passes(35 * MINUTE)
    await world.kill()
    await world.restart()
    # The machine worked in the last half hour, so it counts as in use at its earliest end.
    await world.sandbox.use(machine.resource_id, {"all": 0})
    await world.play.passes(ready_at + HOUR + MINUTE - await world.now())
    assert "In use: " in (await world.card(rental)).text
    assert len(await world.alive()) == 1
    assert await pings(world) == pings_before

    await world.skips(20 * MINUTE)
    await world.play.passes(ready_at + 2 * HOUR - 29 * MINUTE - await world.now())
    notice = world.play.sees("Ana", "If its GPUs are busy then, it keeps running", dm=True)
    assert [button.text for button in notice.buttons] == [
        "Keep it 2 h more in any case",
        f"Destroy {rental}",
    ]
    assert len(await pings(world)) == len(pings_before) + 1
    await world.until_card(rental, "Ended", within=HOUR)
    assert await world.now() < ready_at + 2 * HOUR + 5 * MINUTE
    await check_consistency(world, bought=["hyperstack"])
