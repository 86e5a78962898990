"""Processes of `gpubot run` with wrong clocks: they delete nothing too early, and refuse what people request."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.errors import Mistake, WrongClock
from bot.operator.protocol import Command, Kind
from demo.processes import Bot, stop
from tests.databases import Postgres, fresh_postgres
from tests.journeys.checks import check_consistency
from tests.journeys.test_by_hand import at_the_socket
from tests.journeys.world import PEOPLE, World

REFUSED = WrongClock().words
MINUTE = timedelta(minutes=1)
GRACES = 30 * MINUTE
HOURS_AHEAD = (2, 10, -2, -10)
LOOK = 0.2
"""The wall-clock seconds between two polls of a process."""


async def health(world: World, bot: Bot) -> dict[str, Any]:
    async with world.session.get(bot.health) as answer:
        return dict(await answer.json())


async def until_open(world: World, bot: Bot, *, connections: int) -> None:
    """Wait until a process has this number of connections, and its /ready says whether it has any."""
    while True:
        async with world.session.get(bot.health.replace("/health", "/ready")) as answer:
            if answer.ok is (connections > 0) and (await health(world, bot))["connections"] == connections:
                return
        await SystemClock().pause(LOOK)


async def until_told(world: World, words: str, count: int) -> None:
    """Wait until the admin has got this number of messages with these words."""
    while True:
        seen = [message.text for message in await world.sandbox.see(PEOPLE["Cleo"])]
        if sum(words in text for text in seen) >= count:
            return
        await SystemClock().pause(LOOK)


async def overdue_at(world: World, bot: Bot) -> datetime:
    """Return the time at which a process will delete the overdue machine, as soon as it knows the time."""
    while (found := (await health(world, bot))["next_overdue"]) is None:
        await SystemClock().pause(LOOK)
    return datetime.fromisoformat(found)


async def refuses(world: World, rental: str) -> None:
    """Let Ana type, click and write, and let the operator use the socket. All get the same sentence."""
    typed = await world.commands("Ana", f"extend {rental} 1h")
    assert REFUSED in str(typed.payload)
    last = await world.sandbox.last_change(PEOPLE["Ana"])
    await world.clicks("Ana", await world.card(rental), "Extend")
    await world.writes("Ana", "@gpubot extend 1h", channel="#training")
    seen = [message.text for message in await world.sandbox.see(PEOPLE["Ana"], last)]
    assert seen.count(REFUSED) == 2, seen
    with pytest.raises(Mistake, match="so nothing was changed"):
        await at_the_socket(world, Command(kind=Kind.EXTEND, id=rental, by="1h", why="the clock is wrong"))


async def test_replicas_with_wrong_clocks_delete_an_overdue_machine_on_time(
    stopped_world: World, postgres: Postgres
) -> None:
    world = stopped_world
    await world.start(GPUBOT_DATABASE_URL=await fresh_postgres(postgres), GPUBOT_CLAIM_SECONDS="2")
    await world.sets_key()
    right, rental = world.bot, await world.rents(text="get H100 EU for 2h")
    await world.until_card(rental, "Ready")
    end = await world.now() + timedelta(hours=2)
    wrong = [await world.start_with_wrong_clock(hours) for hours in HOURS_AHEAD]
    for bot in wrong:
        await until_open(world, bot, connections=0)
        assert not (await health(world, bot))["claims"]
    await until_told(world, "a computer that I run on, is", len(wrong))
    world.play.bot = right
    await world.skips(25 * MINUTE)
    await world.skips(25 * MINUTE)
    assert [(await health(world, bot))["next_overdue"] for bot in wrong] == [None] * len(wrong)
    assert len(await world.alive()) == 1

    await stop(right.process)
    for bot in wrong:
        await until_open(world, bot, connections=2)
    await refuses(world, rental)
    await world.sandbox.jump_to(end + MINUTE)
    overdue = [await overdue_at(world, bot) for bot in wrong]
    assert all(timedelta(0) <= at - (end + GRACES) <= 2 * MINUTE for at in overdue), overdue
    assert len(await world.alive()) == 1
    await world.sandbox.jump_to(max(overdue) + MINUTE)
    await world.until_answered("delete_resource")

    for bot in wrong:
        await stop(bot.process)
    await world.start()
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"], outside_outbox=len(wrong) + 1)


@pytest.mark.parametrize("hours", [10, -2])
async def test_with_sqlite_a_bot_with_a_wrong_clock_changes_nothing(stopped_world: World, hours: int) -> None:
    world = stopped_world
    await world.start()
    await world.sets_key()
    rental = await world.rents(text="get H100 EU for 2h")
    await world.until_card(rental, "Ready")
    await world.stop()
    await world.start_with_wrong_clock(hours)
    await until_told(world, "Compute Clear's and Slack's", 1)
    assert "Compute Clear's and Slack's: I work on nothing." in str(await health(world, world.bot))
    await refuses(world, rental)
    for _ in range(3):
        world.clock.jump(20 * 60)
        assert REFUSED in str((await world.commands("Ana", "list")).payload)
    assert len(await world.alive()) == 1
    assert await world.stop() == 0

    await world.start()
    await world.play.settle()
    assert (await world.card(rental)).text.startswith("Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"], outside_outbox=2)
