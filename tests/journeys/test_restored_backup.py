"""A backup of the database is restored, in the real process, while a machine bought since then is running."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

HOUR = timedelta(hours=1)


def copy_database(source: Path, target: Path) -> None:
    """Replace a database by another one, as an operator does."""
    for ending in ("", "-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as before, closing(sqlite3.connect(target)) as after:
        before.backup(after)


async def test_a_machine_bought_since_the_backup_is_put_back_and_not_bought_again(world: World) -> None:
    known = await world.rents(text="get H100 EU for 4h")
    await world.until_card(known, "Ready")
    copy_database(world.database, world.folder / "backup.sqlite")
    await world.sets_key("Ben")
    since = await world.rents("Ben", text="get A100 for 4h")
    await world.until_card(since, "Ready")
    await world.skips(HOUR)
    await world.kill()
    copy_database(world.folder / "backup.sqlite", world.database)
    bought = await world.bought()

    await world.restart()
    message = await world.reads("Cleo", "My database is older than the account: 1 machine of mine runs")
    assert since in message.text
    assert "Ben's" in message.text
    await world.clicks("Cleo", message, "Put it back")
    await world.kill()
    await world.restart()
    await world.until_card(since, "Ready")
    await world.reads("Cleo", "Cleo put it back")
    await world.reads("Ben", "my database is from an older backup")
    await world.commands("Cleo", "resume")
    for name, rental in (("Ana", known), ("Ben", since)):
        await world.destroys(name, rental)
        await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=bought, moved=True)
