"""SIGKILL while somebody clicks: what was acknowledged is never lost, what wasn't is never taken for done."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.checks import adds_up
from tests.journeys.world import World


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process's write lock on the database."""
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


async def test_killed_before_the_click_is_written_down(world: World) -> None:
    offers = await world.offers()
    with locked(world.database):
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.handling()
        await world.kill()
    assert not (await click).ok
    assert await world.bought() == []
    await world.restart()
    assert await world.bought() == []
    await world.clicks("Ana", offers, "Rent")
    await world.play.settle()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_a_click_that_the_store_does_not_take_is_told(world: World) -> None:
    offers = await world.offers()
    with locked(world.database):
        await world.clicks("Ana", offers, "Rent")
        told = await world.reads("Ana", "couldn't write that down")
    assert told.only_you
    await world.play.settle()
    await world.clicks("Ana", offers, "Rent")
    await world.play.settle()
    rental = await world.rental()
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Cancelled")
    await adds_up(world, bought=["hyperstack"])


async def test_killed_right_after_the_acknowledgement(world: World) -> None:
    offers = await world.offers()
    assert (await world.clicks("Ana", offers, "Rent")).ok
    await world.kill()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.asks_to_destroy("Ana", rental)
    await world.kill()
    await world.restart()
    await world.until_card(rental, "Destroyed")
    bought = await world.bought()
    assert len(bought) == 1
    await adds_up(world, bought=bought)
