"""SIGKILL during a click: an acknowledged click is never lost, and another one is never done."""

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
    """Hold the database's write lock until the end of the block."""
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


async def test_a_click_that_is_not_committed_is_answered_with_words_or_fails_and_rents_nothing(
    world: World,
) -> None:
    offers = await world.offers()
    with locked(world.database):
        await world.clicks("Ana", offers, "Rent")
        answer = await world.reads("Ana", "couldn't write that down")
        assert answer.only_you
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.handling()
        await world.kill()
    assert not (await click).ok
    await world.restart()
    assert await world.bought() == []
    await world.clicks("Ana", offers, "Rent")
    await world.play.settle()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_killed_right_after_an_acknowledgement_the_next_start_does_what_was_asked(world: World) -> None:
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
