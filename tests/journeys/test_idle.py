"""A machine is idle at night. Its owner is asked in the morning, needs it, and then forgets it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from demo.play import Missed
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World, open_world

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

POLICY = """
timezone: Europe/Berlin
hours: {time: "14:00-20:00"}
idle: {after: 10m, never_used: 10m, from: 0.20, channel_after: 10m, approvers_after: 20m}
"""
"""It is 13:00 in Berlin, where Ana and Cleo live. So the night ends in an hour."""


async def until_o_clock(world: World, hour: int, minute: int = 0) -> None:
    """Let time pass until then, in UTC. Skip what is more than 25 minutes before."""
    now = await world.now()
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    await world.skips(max(moment - 25 * MINUTE - now, timedelta(0)))
    await world.play.passes(moment - await world.now())


async def asked_at(world: World) -> list[datetime]:
    """Return when Ana was pinged with a question about an idle machine."""
    pings = await world.sandbox.pings(PEOPLE["Ana"])
    return [ping.at for ping in pings if ping.text.startswith("Idle for")]


async def test_an_idle_machine_is_asked_about_in_the_morning_and_the_approvers_learn_that_nobody_answers(
    folder: Path,
) -> None:
    policy = folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    async with open_world(folder, GPUBOT_POLICY=str(policy)) as world:
        await world.sandbox.slack.patch(f"people/{PEOPLE['Cleo']}", {"tz": "Europe/Berlin"})
        await world.start()
        await world.sets_key()
        rental = await world.rents(text="get H100 EU for 6h")
        await world.until_card(rental, "Ready")
        (machine,) = await world.alive()
        await world.sandbox.use(machine.resource_id, {"all": 0})
        await until_o_clock(world, 12, 59)
        assert await asked_at(world) == []
        await until_o_clock(world, 13, 1)
        question = world.play.sees("Ana", f": {rental}, 1x H100 SXM 80 GB, $2.15/h. GPU at 0 % since", dm=True)
        assert "nobody connected" in question.text
        assert len(await asked_at(world)) == 1

        await world.play.clicks("Ana", question, "Still needed, ask in 1 h")
        assert (await world.thread(rental))[-1].startswith("Ana still needs it. I ask again at ")
        await until_o_clock(world, 14)
        assert len(await asked_at(world)) == 1
        await until_o_clock(world, 14, 5)
        assert len(await asked_at(world)) == 2
        assert "Idle for" not in (await world.card(rental)).text
        await until_o_clock(world, 14, 16)
        assert "k. Idle for" in (await world.card(rental)).text.replace(rental, "k")
        with pytest.raises(Missed):
            world.play.sees("Cleo", "Nobody answers")
        await until_o_clock(world, 14, 26)
        told = world.play.sees("Cleo", f"Nobody answers: {rental}, 1x H100 SXM 80 GB, Ana, idle since", dm=False)
        assert [button.text for button in told.buttons] == [
            f"Destroy {rental}",
            "Ask Ana again",
            "Leave it until its end",
        ]

        await world.play.clicks(
            "Ben", world.play.sees("Ben", "Nobody answers", dm=False), "Leave it until its end"
        )
        world.play.sees("Ben", "Approvers and admins decide that. I changed nothing.", only_you=True)
        await world.play.clicks("Cleo", told, "Leave it until its end")
        assert world.play.sees("Cleo", "Cleo leaves it until its end").buttons == ()
        assert "Idle for" not in (await world.card(rental)).text
        await world.sandbox.use(machine.resource_id, {"all": 98})
        await world.play.passes(10 * MINUTE)
        assert len(await asked_at(world)) == 2
        await world.destroys("Ana", rental)
        await world.until_card(rental, "Destroyed", within=HOUR)
        await check_consistency(world, bought=["hyperstack"])
