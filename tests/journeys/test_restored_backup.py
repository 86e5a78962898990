"""A backup of the database is restored, in the real process.

Machines that were bought after the backup are running, and Slack shows decisions that were made after it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sandbox.client import SeenMessage
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World

HOUR = timedelta(hours=1)


def copy_database(source: Path, target: Path) -> None:
    """Replace a database with another one, like an operator does."""
    for ending in ("", "-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as before, closing(sqlite3.connect(target)) as after:
        before.backup(after)


async def back_up(world: World, target: Path) -> None:
    """Take a backup while the bot is running, as described in docs/operating.md."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "backup", target, env=world.settings, cwd=world.folder
    )
    assert await process.wait() == 0


async def test_a_machine_bought_after_the_backup_is_readopted(world: World) -> None:
    known = await world.rents(text="get H100 EU for 4h")
    await world.until_card(known, "Ready")
    await back_up(world, world.folder / "backup.sqlite")
    await world.sets_key("Ben")
    since = await world.rents("Ben", text="get A100 for 4h")
    await world.until_card(since, "Ready")
    await world.skips(HOUR)
    await world.kill()
    copy_database(world.folder / "backup.sqlite", world.database)
    bought = await world.bought()

    await world.restart()
    message = await world.reads(
        "Cleo", "My database seems to be an older backup: it lacks 1 machine that I rented and that is running"
    )
    assert since in message.text
    asked = [
        one for one in await world.sandbox.see(PEOPLE["Cleo"]) if one.text.startswith("My database seems to be")
    ]
    assert len(asked) == 1, "the sweep by the calendar is overdue, and asks nothing a second time"
    assert "Ben's" in message.text
    await world.clicks("Cleo", message, "Restore it")
    await world.kill()
    await world.restart()
    await world.until_card(since, "Ready")
    await world.reads("Cleo", "Cleo added")
    await world.reads("Ben", "my database is from an older backup")
    await world.commands("Cleo", "resume")
    for name, rental in (("Ana", known), ("Ben", since)):
        await world.destroys(name, rental)
        await world.until_card(rental, "Ended")
    await check_consistency(world, bought=bought, moved=True)


async def open_question(world: World) -> SeenMessage:
    """Return the newest question about the unmanaged machine that Cleo can answer."""
    seen = await world.sandbox.see(PEOPLE["Cleo"])
    asked = [
        message
        for message in seen
        if "A machine that wasn't rented through me" in message.text and message.buttons
    ]
    return max(asked, key=lambda message: float(message.ts))


async def test_decisions_made_after_the_backup_are_requested_again(world: World) -> None:
    """The backup is restored twice in a row."""
    backup = world.folder / "backup.sqlite"
    known = await world.rents(text="get H100 EU for 2h")
    card = await world.until_card(known, "Ready")
    await world.sandbox.add_machine("train-ana-3")
    await world.passes(timedelta(minutes=10))
    asked, lost = await open_question(world), list[str]()
    copy_database(world.database, backup)
    for _ in range(2):
        await world.commands("Ana", f"extend {known} 2h")
        await world.clicks("Cleo", asked, "Assign an owner")
        await world.confirms("Cleo")
        await world.skips(timedelta(minutes=10))
        lost.append((await world.reads("Cleo", "assigned an owner")).text.split()[-1])
        await world.kill()
        copy_database(backup, world.database)
        await world.restart()
        again = await open_question(world)
        assert float(again.ts) > float(asked.ts)
        asked = again
        notice = await world.reads(
            "Ana", f"My database was restored from an older backup. Your 1x H100 SXM 80 GB ({known}) ends"
        )
        assert notice.buttons
        assert (await world.card(known)).text == card.text, "it ends as before"
    end = await world.now() + 2 * HOUR
    await world.until_card(known, "Ended", within=3 * HOUR)
    assert await world.now() <= end
    await world.clicks("Cleo", asked, "Assign an owner")
    await world.confirms("Cleo")
    await world.play.settle()
    given = (await world.reads("Cleo", "assigned an owner")).text.split()[-1]
    for one in lost:
        await world.clicks("Ana", await world.reads("Ana", one), "Extend")
        assert not (await world.reads("Ana", f"{one} is missing from my database, which was restored")).buttons
    await world.destroys("Ana", given)
    await world.until_card(given, "Ended")
    await check_consistency(world, bought=["hyperstack"], moved=True)
