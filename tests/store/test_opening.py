"""Only one process at a time opens a database. If it can't be opened, the error says why in one line."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen
from store.db import Database, migrate
from store.migrations import HEAD
from store.preflight import check_database
from tests.store.fact import read, write
from tests.store.schemas import at, contents, engine, running

OPENS = """
import asyncio, sys
from bot.clock import SystemClock
from bot.errors import CannotOpen
from store.db import Database
async def main():
    try:
        await Database.open(sys.argv[1], claimant="second", clock=SystemClock())
    except CannotOpen as error:
        print(error.words)
asyncio.run(main())
"""


async def test_a_second_process_cannot_open_a_sqlite_database_that_is_in_use(
    sqlite_url: str, clock: MovedClock
) -> None:
    database = await Database.open(sqlite_url, claimant="first", clock=clock)
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPENS, sqlite_url, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    words, _ = await second.communicate()
    assert b"in use by another gpubot" in words
    assert len(words.splitlines()) == 1
    with pytest.raises(CannotOpen):
        await migrate(sqlite_url)
    await write(database, "still mine")
    await database.close()


async def test_a_closed_database_can_be_opened_again(url: str, clock: MovedClock) -> None:
    for value in ("first", "second"):
        database = await Database.open(url, claimant=value, clock=clock)
        await write(database, value)
        await database.close()
    database = await Database.open(url, claimant="third", clock=clock)
    assert await read(database) == "second"
    await database.close()


async def test_only_the_bots_user_can_read_the_database_and_its_folder(tmp_path: Path, clock: MovedClock) -> None:
    path = tmp_path / "data" / "gpubot" / "gpubot.db"
    database = await Database.open(f"sqlite:///{path}", claimant="test", clock=clock)
    await write(database, "x")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await database.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert "gpubot.db-wal" in modes


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://localhost/x", "neither"),
        ("nonsense", "neither"),
        ("sqlite://", "names no file"),
        ("sqlite:////proc/nowhere/gpubot.db", "can't be used"),
        ("postgresql://127.0.0.1:1/none", "can't be reached"),
        ("postgresql://127.0.0.1:notaport/none", "no address"),
        ("postgresql://127.0.0.1:99999/none", "no address"),
        (f"postgresql://{'a' * 300}/none", "no address"),
        (f"sqlite:////tmp/{'a' * 300}", "can't be used"),
    ],
)
async def test_a_database_that_cannot_be_used_says_why_in_one_line(url: str, says: str, clock: MovedClock) -> None:
    with pytest.raises(CannotOpen, match=says) as refused:
        await Database.open(url, claimant="test", clock=clock)
    assert len(refused.value.words.splitlines()) == 1


async def test_a_file_that_is_not_a_database_is_left_unchanged(tmp_path: Path, clock: MovedClock) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes, and no database at all. " * 9)
    with pytest.raises(CannotOpen, match="It isn't an SQLite database"):
        await Database.open(f"sqlite:///{path}", claimant="test", clock=clock)
    assert path.read_text().startswith("These are my notes")


_SET_REVISION = "UPDATE alembic_version SET version_num = '{}'"


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        ("v9999", "made by a newer gpubot (schema v9999, this version has v0603). Install that version."),
        (
            "0007",
            "made by a gpubot before 0.1.0 (schema 0007), which no release can read. Move it away and "
            "start with a new one. The admins will then be asked about each running machine.",
        ),
    ],
)
async def test_a_database_of_another_version_is_neither_opened_nor_migrated(
    url: str, clock: MovedClock, revision: str, says: str
) -> None:
    database = engine(url)
    await at(database, running(_SET_REVISION.format(revision)))
    before = await at(database, contents)
    for use in (Database.open(url, claimant="test", clock=clock), migrate(url), check_database(url)):
        with pytest.raises(CannotOpen) as refused:
            await use
        assert refused.value.words == f"The database was {says}"
    assert await at(database, contents) == before
    await at(database, running(_SET_REVISION.format(HEAD)))
    await database.dispose()


async def test_a_database_of_an_unfinished_schema_is_refused_in_one_line(url: str, clock: MovedClock) -> None:
    database = engine(url)
    await at(database, running("ALTER TABLE messages RENAME COLUMN charges_of TO charges"))
    before = await at(database, contents)
    for use in (Database.open(url, claimant="test", clock=clock), migrate(url), check_database(url)):
        with pytest.raises(CannotOpen) as refused:
            await use
        assert refused.value.words == (
            f"The database was made by a gpubot between two releases: its schema is called {HEAD}, but it has no "
            "column messages.charges_of. Nothing was changed. Use the commit that made it, or move the database "
            "away and start with a new one: the admins will then be asked about each running machine."
        )
    assert await at(database, contents) == before
    await at(database, running("ALTER TABLE messages RENAME COLUMN charges TO charges_of"))
    await database.dispose()


async def test_an_unfinished_schema_that_cannot_be_migrated_is_refused_in_one_line(
    url: str, clock: MovedClock
) -> None:
    database = engine(url)
    await at(database, running(_SET_REVISION.format("v0300")))  # it has the tables of v0400 already
    before = await at(database, contents)
    for use in (Database.open(url, claimant="test", clock=clock), migrate(url)):
        with pytest.raises(CannotOpen, match="its schema is called v0300, but it can't be migrated from there"):
            await use
    assert await at(database, contents) == before
    await at(database, running(_SET_REVISION.format(HEAD)))
    await database.dispose()
