"""A person says until when they need a machine. It is in their own time zone, and it holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def full_hour_in(world: World, hours: int) -> datetime:
    return (await world.now()).replace(minute=0, second=0, microsecond=0) + hours * HOUR


def as_ana_types(moment: datetime) -> str:
    """Return a moment as Ana types it, who lives in Berlin: `until 18:00`."""
    return f"until {moment.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}"


async def test_a_machine_ends_when_its_owner_said_and_later_only_if_they_say_so(world: World) -> None:
    said = await full_hour_in(world, 3)
    rental = await world.rents(text=f"get H100 EU {as_ana_types(said)}")
    await world.until_card(rental, "Ready")
    await world.play.types("Ana", "#training", f"extend {as_ana_types(said + HOUR)}")
    await world.skips(said + 50 * MINUTE - await world.now())
    await world.passes(9 * MINUTE)
    assert len(await world.alive()) == 1
    await world.until_card(rental, "Destroyed", within=HOUR)
    assert await world.now() < said + HOUR + 5 * MINUTE
    await check_consistency(world, bought=["hyperstack"])


async def test_an_approval_that_comes_too_late_asks_for_a_later_end_which_is_then_approved(world: World) -> None:
    said = await full_hour_in(world, 3)
    rental = await world.rents(text=f"get 8x H100 EU {as_ana_types(said)}")
    await world.skips(said - 29 * MINUTE - await world.now())
    await world.approves("Cleo")
    card = world.play.sees("Ana", "Waiting for Ana: 8x H100 SXM 80 GB EU", dm=False)
    assert await world.bought() == []
    await world.play.clicks("Ana", card, "Change")
    form = await world.sandbox.open_modal(PEOPLE["Ana"])
    changed = await world.sandbox.submit(PEOPLE["Ana"], form, {"lease": {"lease": as_ana_types(said + 2 * HOUR)}})
    assert changed.ok
    await world.play.settle()
    await world.play.clicks("Ana", world.play.sees("Ana", f"Change {rental} to", only_you=True), "Ask")
    await world.play.confirms("Ana")
    await world.approves("Cleo")
    await world.play.until_sees("Ana", "is ready until", HOUR, dm=True)
    await world.skips(said + 2 * HOUR - 10 * MINUTE - await world.now())
    await world.play.until_sees("Ana", "Destroyed: 8x H100 SXM 80 GB EU, Ana", 3 * HOUR)
    assert said + 2 * HOUR <= await world.now() < said + 2 * HOUR + 5 * MINUTE
    await check_consistency(world, bought=["hyperstack"])
