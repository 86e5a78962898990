"""`/gpu spend` end to end: while a machine runs, and when it is billed."""

from __future__ import annotations

import re
from datetime import timedelta

from demo.play import Missed
from sandbox.client import SeenMessage
from tests.journeys.checks import check_consistency
from tests.journeys.world import World

MINUTE = timedelta(minutes=1)


async def spends(world: World, text: str) -> SeenMessage:
    """Type `/gpu spend`, and return the answer."""
    outcome = await world.play.types("Ana", "#training", text)
    if outcome.payload not in ({}, None):
        raise Missed(f"the acknowledgement says {outcome.payload}")
    return await world.reads("Ana", "so far: you $")


async def test_a_person_reads_what_a_machine_costs_while_it_runs_and_what_was_billed_for_it(world: World) -> None:
    rental = await world.rents(text="get H100 EU for 6h")
    await world.until_card(rental, "Ready")
    await world.passes(70 * MINUTE)
    await world.skips(50 * MINUTE)
    running = await spends(world, "spend")
    assert "Project | Rentals | GPU hours" in running.reads
    assert "Team $4." in running.text
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    total = re.findall(r"\$[0-9.]+[0-9]", (await world.card(rental)).text)[0]
    billed = await spends(world, "costs me today")
    assert re.fullmatch(rf"Today so far: you {re.escape(total)}, of which \d+% idle, for 1 rental\.", billed.text)
    assert f"{rental}, 1x H100 SXM 80 GB EU" in billed.reads
    assert [button.text for button in billed.buttons][-1] == "CSV"
    await check_consistency(world, bought=await world.bought())
