"""A machine is told its end over real SSH, and the end waits for its owner's script, also if the bot is killed."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def test_the_script_runs_once_before_the_end_and_the_end_waits_for_it_over_a_kill(world: World) -> None:
    rental = await world.rents(text="get H100 EU for 1h")
    await world.until_card(rental, "Ready")
    ends_at = await world.now() + HOUR
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, on_ending={"lasts": 20 * 60})
    await world.passes(2 * MINUTE)
    assert "Its on-ending.sh runs at " in (await world.card(rental)).text

    await world.skips(40 * MINUTE)
    await world.passes(ends_at - 14 * MINUTE - await world.now())
    assert "on-ending.sh: running since " in (await world.card(rental)).text
    await world.kill()
    world.clock.jump((2 * MINUTE).total_seconds())
    await world.restart()
    await world.passes(ends_at + 2 * MINUTE - await world.now())
    assert len(await world.alive()) == 1

    await world.until_card(rental, "Destroyed")
    part = (await world.sandbox.machine(machine.resource_id)).on_ending
    assert part is not None
    (run,) = part.runs
    assert (part.ends_at, run.end, run.runs) == (run.end, run.end, False)
    assert timedelta(0) <= ends_at - run.at - 14 * MINUTE <= MINUTE
    assert "on-ending.sh: done at " in (await world.card(rental)).text
    await check_consistency(world, bought=await world.bought())
