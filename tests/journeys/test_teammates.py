"""A teammate gets into a machine, needs it for longer, and somebody else is let in later."""

from __future__ import annotations

import re
from datetime import timedelta

from demo.laptop import Laptop
from tests.journeys.checks import check_consistency
from tests.journeys.world import World
from tests.programs import program

HOUR = timedelta(hours=1)
CONFIG_BLOCK = re.compile(r"^Host gpu-\S+$(?:\n +\S.*$)+", re.MULTILINE)


async def test_a_teammate_logs_in_extends_and_is_told_of_the_end(world: World) -> None:
    program("ssh")
    laptop = Laptop.new(world.folder / "ben", "ben@laptop")
    await world.play.types("Ben", "dm", f"key {laptop.public_key}")
    rental = await world.rents(text="get H100 EU with @ben for 1h")
    await world.until_card(rental, "Ready")
    assert "1x H100 SXM 80 GB EU, Ana with Ben" in (await world.card(rental)).text
    ready = world.play.sees("Ben", "is ready until", dm=True)
    assert 'Opens with "ben@laptop" in about a minute' in ready.text
    assert [button.text for button in ready.buttons] == ["Extend"]

    await world.play.types("Ben", "dm", "ssh")
    block = CONFIG_BLOCK.search(world.play.sees("Ben", f"Host gpu-{rental}", only_you=True).text)
    assert block is not None
    laptop.paste(block[0])
    assert "H100" in await laptop.ssh(f"gpu-{rental}", "nvidia-smi")

    await world.skips(HOUR / 3)
    notice = await world.play.until_sees("Ben", "in 30 min", HOUR, dm=True)
    await world.play.clicks("Ben", notice, "Extend 2 h")
    assert "Ben extended it by 2 h" in " ".join(await world.thread(rental))

    card = await world.card(rental)
    await world.writes("Ana", "@gpubot share @cleo", channel=card.channel, thread_ts=card.ts)
    request = await world.reads("Cleo", "I need your public SSH key for that. Then Ana can put it on the machine")
    assert (await world.reads("Ana", "Cleo has no SSH key yet")).only_you
    assert [button.text for button in request.buttons] == ["Add SSH key", "Take mine from GitHub"]

    await world.skips(2.25 * HOUR)
    await world.until_card(rental, "Destroyed")
    assert world.play.sees("Ben", "Destroyed", dm=True).text.endswith(f"({rental}).")
    await check_consistency(world, bought=["hyperstack"])
