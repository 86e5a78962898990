"""The card in Slack is refreshed while a machine starts and the vendor reports nothing new."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

REFRESH = timedelta(seconds=30)


def version(world: World, rental: str) -> int:
    with closing(sqlite3.connect(world.database)) as store:
        return int(store.execute("SELECT version FROM rentals WHERE id = ?", (rental,)).fetchone()[0])


def next_refresh(world: World) -> datetime:
    with closing(sqlite3.connect(world.database)) as store:
        (stored,) = store.execute("SELECT min(refresh_at) FROM messages").fetchone()
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


async def check_health_until(world: World, until: datetime) -> None:
    """Jump from one due time to the next. At each, the report is settled and names the refresh if nothing is due
    before it."""
    while await world.now() < until:
        health = await world.play.settle()
        assert (health["settled"], health["undelivered"]) == (True, 0)
        assert datetime.fromisoformat(health["next_due"]) <= next_refresh(world)
        await world.next_due_time()


async def test_the_card_shows_the_passed_time_every_30_s_although_the_vendor_reports_nothing_new(
    world: World,
) -> None:
    rental = await world.rents()
    await world.skips(REFRESH)
    before = version(world, rental)
    assert "1 min." not in (await world.card(rental)).text
    await check_health_until(world, await world.now() + REFRESH)
    assert "1 min. Hyperstack" in (await world.card(rental)).text
    await world.kill()
    await world.restart()
    await world.skips(REFRESH)
    assert "1 min 30 s. Hyperstack" in (await world.card(rental)).text
    assert version(world, rental) == before
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])
