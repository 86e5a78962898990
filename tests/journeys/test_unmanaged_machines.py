"""An unmanaged machine gets an owner, and a SIGKILL in between doesn't create a second rental."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World, locked

LEAD = "A machine that wasn't rented through me is running"


async def test_a_machine_is_adopted_once_despite_kills(
    world: World,
) -> None:
    """After that, the machine is a rental like any other."""
    await world.sandbox.add_machine("train-ana-3")
    await world.passes(timedelta(minutes=10))
    asked = await world.reads("Cleo", LEAD)
    assert "train-ana-3, 1x H100 SXM 80 GB at Lambda" in asked.text
    assert "It may belong to Ana." in asked.text
    await world.clicks("Cleo", asked, "Assign an owner")
    dialog = await world.sandbox.open_modal(PEOPLE["Cleo"])
    with locked(world.database):
        submission = asyncio.create_task(world.sandbox.submit(PEOPLE["Cleo"], dialog))
        await world.until_handling()
        await world.kill()
    assert not (await submission).ok
    await world.restart()
    await world.confirms("Cleo")
    await world.kill()
    await world.restart()
    rental = await world.rental()
    assert (await world.card(rental)).text.startswith(f"Ready: 1x H100 SXM 80 GB ({rental}) for Ana")
    assert rental in (await world.reads("Ana", "I don't know whose keys work")).text
    await world.passes(timedelta(minutes=10))
    assert rental in (await world.reads("Cleo", "assigned an owner")).text
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=[])
