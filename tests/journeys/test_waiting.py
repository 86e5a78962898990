"""People wait for a machine, and one of them for a start tomorrow at nine.

The bot is killed at the worst moments.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.client import SeenMessage
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WANTED = "wait H100 EU under $3 per GPU for 1h any time"


async def waits(world: World, name: str, label: str) -> SeenMessage:
    """Put a person on the waitlist for an H100 by clicking this button.

    Return the answer, which has a button to stop waiting.
    """
    await world.play.types(name, "#training", WANTED)
    await world.play.clicks(
        name, world.play.sees(name, "Right now, there's no H100 in EU under $3.00", only_you=True), label
    )
    return world.play.sees(name, "You're on the waitlist for", only_you=True)


async def pinged(world: World, name: str, words: str) -> int:
    """Return the number of times that a person was pinged with these words."""
    return sum(words in ping.text for ping in await world.sandbox.pings(PEOPLE[name]))


async def test_the_waitlist_is_served_once_despite_a_kill(world: World) -> None:
    """One machine is rented, and each waiting person is notified once."""
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
    # The notifications of these two are answers, as if they had asked again.
    await check_consistency(world, bought=["hyperstack"], outside_outbox=2)


async def until_in_berlin(world: World, hour: int, minute: int) -> None:
    """Let time pass until this time tomorrow in Berlin, where Ana lives. Skips all but the last 20 minutes."""
    moment = datetime.fromisoformat(f"2026-11-25T{hour:02}:{minute:02}:00+01:00")
    await world.skips(max(moment - 20 * MINUTE - await world.now(), timedelta(0)))
    await world.passes(moment - await world.now())


async def test_a_scheduled_start_is_rented_once_despite_a_restart(world: World) -> None:
    """The market is empty in between."""
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


async def test_a_waitlist_entry_survives_a_night_of_failed_purchases(
    world: World,
) -> None:
    """The price expires, and a vendor refuses the startup script."""
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
