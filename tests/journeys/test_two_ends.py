"""A machine with two ends goes on while it is in use, and ends once it is not. The bot is killed in between."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def pings(world: World) -> list[str]:
    return [ping.text for ping in await world.sandbox.pings(PEOPLE["Ana"])]


async def test_a_machine_in_use_goes_on_past_its_first_end_and_ends_when_its_work_has_stopped(
    world: World,
) -> None:
    rental = await world.rents(text="get H100 EU for 1h up to 4h")
    await world.until_card(rental, "Ready")
    ready_at = await world.now()
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, {"all": 98})
    said = world.play.sees("Ana", "unless its GPUs are busy then", dm=True)
    assert "Its disk is deleted when it ends, also at night." in said.text
    told = await pings(world)

    await world.skips(20 * MINUTE)
    await world.play.passes(35 * MINUTE)
    await world.kill()
    await world.restart()
    # It worked in the last half hour, so it counts as in use at its first end.
    await world.sandbox.use(machine.resource_id, {"all": 0})
    await world.play.passes(ready_at + HOUR + MINUTE - await world.now())
    assert "In use: it goes on until " in (await world.card(rental)).text
    assert len(await world.alive()) == 1
    assert await pings(world) == told

    await world.skips(20 * MINUTE)
    await world.play.passes(ready_at + 2 * HOUR - 29 * MINUTE - await world.now())
    notice = world.play.sees("Ana", "It goes on only if its GPUs are busy then.", dm=True)
    assert [button.text for button in notice.buttons] == ["Go on 2 h, already approved", f"Destroy {rental}"]
    assert len(await pings(world)) == len(told) + 1
    await world.until_card(rental, "Destroyed", within=HOUR)
    assert await world.now() < ready_at + 2 * HOUR + 5 * MINUTE
    await check_consistency(world, bought=["hyperstack"])


EVENING = datetime(2027, 3, 27, 20, tzinfo=ZoneInfo("Europe/Berlin"))
"""The evening before summer time begins in Berlin, where Ana lives."""


async def in_the_evening(world: World) -> None:
    """Start the bot in that evening."""
    world.clock.jump((EVENING - await world.now()).total_seconds())
    await world.start()
    await world.sets_key()


async def until_morning(world: World, hour: int, minute: int) -> None:
    """Skip to ten minutes before a time of the next morning in Berlin, and let those pass."""
    moment = EVENING.replace(day=28, hour=hour, minute=minute).astimezone(UTC)
    await world.skips(moment - 10 * MINUTE - await world.now())
    await world.play.passes(moment - await world.now())


async def test_over_a_night_into_summer_time_one_machine_ends_and_the_other_is_kept_until_the_morning(
    stopped_world: World,
) -> None:
    world = stopped_world
    await in_the_evening(world)
    first = await world.rents(text="get H100 EU for 2h up to 14h")
    await world.until_card(first, "Ready")
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, {"all": 98})

    shown = await world.offers(text="get A100 EU for 2h up to 14h")
    assert "If the work stops at night, it ends at night, and its disk is deleted." in shown.reads
    await world.play.clicks("Ana", shown, "Keep it until 8:00: up to $")
    shown = world.play.sees("Ana", "Prices stand", only_you=True)
    # 14 h after 20:02 in winter time, as the clock shows them in summer time.
    assert re.search(r"until tomorrow at 08:00 \(10 h 5\d min\), up to tomorrow at 11:0\d while", shown.reads)
    assert "If the work stops at night" not in shown.reads
    await world.play.clicks("Ana", shown, "Rent")
    second = await world.rental()
    assert "Ends tomorrow at 08:00 unless" in (await world.until_card(second, "Ready")).text
    (kept,) = [one for one in await world.alive() if one.resource_id != machine.resource_id]

    # The work of the first stops soon after its end moved on. Nothing ever works on the second.
    await world.skips(EVENING + 115 * MINUTE - await world.now())
    await world.play.passes(15 * MINUTE)
    assert "In use: it goes on until 23:0" in (await world.card(first)).text
    await world.sandbox.use(machine.resource_id, {"all": 0})
    await world.skips(20 * MINUTE)
    card = await world.until_card(first, "Destroyed", within=2 * HOUR)
    receipt = world.play.sees("Ana", "Its work stopped at ", dm=True)
    assert first in receipt.text
    begins = re.match(r"Its work stopped at 22:\d\d; it ended at 23:\d\d\.", receipt.text)
    assert begins is not None
    assert begins[0] in card.text
    assert [one.resource_id for one in await world.alive()] == [kept.resource_id]

    # The second is there at 8:00 in summer time, and goes on since something works then.
    await world.sandbox.use(kept.resource_id, {"all": 98})
    await until_morning(world, 8, 1)
    card = await world.card(second)
    assert "In use: it goes on until today at 09:00, today at 11:0" in card.text
    await world.kill()
    await world.restart()
    await world.sandbox.use(kept.resource_id, {"all": 0})
    await until_morning(world, 8, 55)
    assert [one.resource_id for one in await world.alive()] == [kept.resource_id]
    await world.until_card(second, "Destroyed", within=HOUR)
    assert await world.now() < EVENING.replace(day=28, hour=9, minute=5)
    await check_consistency(world, bought=["hyperstack", "datacrunch"])
