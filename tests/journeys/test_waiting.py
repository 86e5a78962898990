"""People wait for a machine, and one wants it tomorrow at nine. The bot is killed at the worst moments."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.client import SeenMessage
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WANTED = "wait H100 EU under $3 per GPU for 1h any time"


async def waits(world: World, name: str, label: str) -> SeenMessage:
    """Let a person ask to wait for an H100, and click a button. Return the answer, which can stop that."""
    await world.play.types(name, "#training", WANTED)
    await world.play.clicks(
        name, world.play.sees(name, "Right now, there's no H100 in EU under $3.00", only_you=True), label
    )
    return world.play.sees(name, "You're on the waitlist for", only_you=True)


async def pinged(world: World, name: str, words: str) -> int:
    """Return how often a person was pinged with these words."""
    return sum(words in ping.text for ping in await world.sandbox.pings(PEOPLE[name]))


async def test_killed_while_it_rents_for_who_waits_it_rents_once_and_tells_each_person_once(world: World) -> None:
    await world.sandbox.vendor("*", "nothing_free")
    await world.sets_key("Ben")
    stopped = await waits(world, "Ben", "Rent it for me")
    await waits(world, "Ana", "Rent it for me at $3.00/h or less: 1 h, up to $4.50")
    for name in ("Ben", "Cleo"):
        await waits(world, name, "Tell me")
    await world.play.clicks("Ben", stopped, "Stop waiting")
    await world.passes(3 * MINUTE)
    assert await world.bought() == []

    await world.sandbox.vendor("*", "normal")
    held = await world.hold("procure_offer", "after")
    await world.until_met(held)
    await world.kill()
    await held.dropped()
    await world.restart()
    await world.passes(10 * MINUTE)
    assert await pinged(world, "Ana", "I rented 1x H100") == 1
    assert [await pinged(world, name, "It may not last.") for name in ("Ben", "Cleo")] == [1, 1]
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    # What the two were told is an answer, as if they had asked again.
    await check_consistency(world, bought=["hyperstack"], outside_outbox=2)


async def until_in_berlin(world: World, hour: int, minute: int) -> None:
    """Let time pass until then tomorrow, in Berlin, where Ana lives. Skip what is more than 20 minutes before."""
    moment = datetime.fromisoformat(f"2026-11-25T{hour:02}:{minute:02}:00+01:00")
    await world.skips(max(moment - 20 * MINUTE - await world.now(), timedelta(0)))
    await world.passes(moment - await world.now())


async def test_a_start_at_nine_is_rented_once_over_an_empty_market_and_a_restart(world: World) -> None:
    await world.play.types("Ana", "#training", "get H100 EU at 9:00 tomorrow for 2h")
    answer = world.play.sees("Ana", "from tomorrow at 09:00 until tomorrow at 11:00 (2 h)", only_you=True)
    await world.play.clicks("Ana", answer, "Rent at the start time")
    rental = await world.rental()
    await world.sandbox.vendor("*", "nothing_free")
    await until_in_berlin(world, 8, 51)
    assert await world.bought() == []
    await world.kill()
    await world.restart()
    await world.sandbox.vendor("*", "normal")
    await until_in_berlin(world, 8, 57)
    assert await world.bought() == ["hyperstack"]
    await world.until_card(rental, "Ready", within=10 * MINUTE)
    assert await pinged(world, "Ana", "I rented 1x H100") == 0
    await until_in_berlin(world, 10, 59)
    assert len(await world.alive()) == 1
    await world.until_card(rental, "Ended", within=10 * MINUTE)
    assert await world.now() < datetime.fromisoformat("2026-11-25T11:05:00+01:00")
    await check_consistency(world, bought=["hyperstack"])


async def test_a_wish_survives_a_night_with_an_expired_price_and_a_vendor_without_startup_scripts(
    world: World,
) -> None:
    await world.sandbox.vendor("*", "nothing_free")
    await waits(world, "Ana", "Rent it for me at $3.00/h or less: 1 h, up to $4.50")
    rental = await world.rental()
    await world.skips(10 * HOUR)
    await world.sandbox.vendor("nebius", "sold_out")
    await world.passes(12 * MINUTE)
    assert "I've tried 2 times" in (await world.card(rental)).text
    assert await world.thread(rental) == [
        "Renting from Nebius at $2.42/h.",
        "Nebius seems to be sold out. The request stays on the waitlist until Dec 1, 2026 at 13:00.",
    ]
    await world.sandbox.add_fault("procure_offer", "status", status=410, times=1)
    await world.sandbox.vendor("hyperstack", "refuses_cloud_init")
    await world.until_card(rental, "Ready", within=HOUR)
    assert await pinged(world, "Ana", "I rented 1x H100") == 1
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"])
