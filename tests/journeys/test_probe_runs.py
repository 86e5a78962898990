"""Probe runs on running machines, in the real process and over real SSH."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import WAIT, World

MINUTE = timedelta(minutes=1)


async def test_probing_continues_after_a_kill_during_a_probe_run(world: World) -> None:
    """The machine is probed until it is destroyed."""
    rental = await world.rents(text="get H100 EU for 4h")
    await world.until_card(rental, "Ready")
    await world.passes(3 * MINUTE)
    (machine,) = await world.alive()
    probed = (await world.sandbox.use(machine.resource_id, {"fault": "hang"})).visits
    assert probed >= 1
    jump = asyncio.create_task(world.sandbox.jump_to(await world.now() + 2 * MINUTE))
    under_way = await world.sandbox.machine(machine.resource_id, visits=probed + 1, wait=WAIT)
    assert under_way.visits == probed + 1
    await world.kill()
    await jump
    await world.sandbox.use(machine.resource_id, {"all": 98, "connections": 1})

    await world.restart()
    assert (await world.sandbox.machine(machine.resource_id)).visits == probed + 2
    await world.passes(5 * MINUTE)
    shown = await world.play.types("Ana", "#training", f"show {rental}")
    assert "In use" in str(shown.payload)

    await world.sandbox.change_host_keys(machine.resource_id)
    probed = (await world.sandbox.machine(machine.resource_id)).visits
    await world.passes(5 * MINUTE)
    await world.reads("Ana", "The SSH host key of 1x H100")
    assert (await world.sandbox.machine(machine.resource_id)).visits == probed

    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    visits_at_end = (await world.sandbox.machine(machine.resource_id)).visits
    await world.passes(10 * MINUTE)
    assert (await world.sandbox.machine(machine.resource_id)).visits == visits_at_end
    await check_consistency(world, bought=await world.bought())
