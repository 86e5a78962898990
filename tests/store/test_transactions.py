"""All of a transaction is written or nothing is; who can't be served is told in time."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen, Refused, StoreBusy
from bot.lifecycle.ports.records import Change
from store.db import Database, migrate
from tests.databases import START, Postgres, cut_connections, fresh_postgres, fresh_sqlite
from tests.store import make

HOLDS_THE_WRITE_LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

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


@pytest.fixture
async def sqlite_url(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, templates: dict[str, Any]) -> str:
    return await fresh_sqlite(tmp_path, templates, tmp_path_factory)


@pytest.fixture
async def postgres_url(postgres: Postgres, templates: dict[str, Any]) -> str:
    return await fresh_postgres(postgres, templates)


@contextmanager
def held_by_another_process(url: str) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDS_THE_WRITE_LOCK, url.removeprefix("sqlite:///")]
    with subprocess.Popen(  # noqa: S603  # our own Python and script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


async def write(database: Database, value: str) -> None:
    async with database.write() as tx:
        await tx.account.set("name", value)


async def read(database: Database) -> str | None:
    async with database.read() as tx:
        return await tx.account.get("name")


async def test_what_goes_wrong_inside_takes_back_everything(database: Database) -> None:
    async def half() -> None:
        async with database.write() as tx:
            await tx.account.set("name", "half")
            raise Refused("No.")

    with pytest.raises(Refused):
        await half()
    assert await read(database) is None


async def test_a_cancelled_transaction_writes_nothing_and_the_next_one_works(database: Database) -> None:
    inside = asyncio.Event()

    async def half() -> None:
        async with database.write() as tx:
            await tx.account.set("name", "half")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(half())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await read(database) is None
    await write(database, "whole")
    assert await read(database) == "whole"


async def test_readers_neither_wait_for_a_writer_nor_see_its_work(database: Database) -> None:
    async with database.write() as tx:
        await tx.account.set("name", "unfinished")
        assert await read(database) is None
    assert await read(database) == "unfinished"


async def test_a_read_sees_one_moment_throughout(database: Database) -> None:
    await write(database, "before")
    async with database.read() as tx:
        assert await tx.account.get("name") == "before"
        await write(database, "after")
        assert await tx.account.get("name") == "before"


async def test_who_waits_is_woken_by_each_commit_and_by_nothing_else(database: Database) -> None:
    woken: list[str | None] = []
    wake = asyncio.Event()
    database.on_commit(wake.set)
    database.on_commit(lambda: woken.append("commit"))
    await write(database, "first")
    assert wake.is_set()
    await read(database)
    with pytest.raises(Refused):
        async with database.write():
            raise Refused("No.")
    assert woken == ["commit"]


async def test_of_fifty_who_spend_at_once_only_those_within_the_limit_may(database: Database) -> None:
    limit = Decimal("10.00")
    async with database.write() as tx:
        for n in range(50):
            await tx.quotes.add(make.quote(f"q{n}"))

    async def rent(n: int) -> bool:
        rental = make.rental(f"r{n}", quote_id=f"q{n}", owner=f"U{n}")
        async with database.write() as tx:
            usage = await tx.rentals.usage(rental.owner)
            if usage.team_rate + rental.envelope.max_rate > limit:
                return False
            await tx.rentals.apply(Change(before=None, after=rental))
            return True

    async def insist(n: int) -> bool:
        # A busy machine may not open so many connections in time; then they are told to try again, and do.
        for _ in range(20):
            with suppress(StoreBusy):
                return await rent(n)
        return await rent(n)

    rented = await asyncio.gather(*map(insist, range(50)))
    assert sum(rented) == 4  # of $2.47 each
    async with database.read() as tx:
        assert (await tx.rentals.usage("U0")).team_rate == Decimal("9.88")


async def test_a_write_lock_of_another_process_is_told_and_no_reader_minds(
    sqlite_url: str, clock: MovedClock
) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    await write(database, "before")
    with held_by_another_process(sqlite_url):
        writing = asyncio.create_task(write(database, "taken"))
        for _ in range(20):
            assert await read(database) == "before"
        assert not writing.done()
        with pytest.raises(StoreBusy):
            await writing
    await write(database, "after")
    assert await read(database) == "after"
    await database.close()


async def test_a_writer_cancelled_while_it_waits_for_another_process_leaves_nothing_behind(
    sqlite_url: str, clock: MovedClock
) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    with held_by_another_process(sqlite_url):
        task = asyncio.create_task(write(database, "cancelled"))
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await write(database, "after")
    assert await read(database) == "after"
    await database.close()


async def test_a_writer_cancelled_while_it_commits_has_written_all_or_nothing(
    database: Database,
) -> None:
    for turns in range(40):
        task = asyncio.create_task(write(database, f"value {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await write(database, "next")
        assert await read(database) == "next"


async def test_who_queues_too_long_for_the_writer_is_told(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    async with database.write() as tx:
        await tx.account.set("name", "slow")
        with pytest.raises(StoreBusy):
            await write(database, "queued")
    assert await read(database) == "slow"
    await database.close()


async def test_a_second_process_is_told_that_the_database_is_in_use(url: str, database: Database) -> None:
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPENS, url, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    words, _ = await second.communicate()
    assert b"in use by another gpubot" in words
    assert len(words.splitlines()) == 1
    await write(database, "still mine")


async def test_a_database_can_be_opened_again_once_closed(url: str, clock: MovedClock) -> None:
    for value in ("first", "second"):
        database = await Database.open(url, claimant=value, clock=clock)
        await write(database, value)
        await database.close()
    database = await Database.open(url, claimant="third", clock=clock)
    assert await read(database) == "second"
    await database.close()


async def test_the_file_and_its_folder_are_for_its_owner_alone(tmp_path: Path, clock: MovedClock) -> None:
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
async def test_a_database_that_cannot_be_used_is_named_in_one_line(url: str, says: str, clock: MovedClock) -> None:
    with pytest.raises(CannotOpen, match=says) as refused:
        await Database.open(url, claimant="test", clock=clock)
    assert len(refused.value.words.splitlines()) == 1


async def test_a_file_that_is_no_database_is_named_in_one_line_and_left_alone(
    tmp_path: Path, clock: MovedClock
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes, and no database at all. " * 9)
    with pytest.raises(CannotOpen, match="It is no SQLite database"):
        await Database.open(f"sqlite:///{path}", claimant="test", clock=clock)
    assert path.read_text().startswith("These are my notes")


def damage(path: Path) -> None:
    """All but the file's header is rubbish."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (path.stat().st_size - 100))


async def test_a_file_that_is_damaged_while_it_is_used_is_an_outage(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    damage(Path(sqlite_url.removeprefix("sqlite:///")))
    for work in (read(database), write(database, "lost")):
        with pytest.raises(StoreBusy):
            await work
    await database.close()
    with pytest.raises(CannotOpen, match="It is damaged"):
        await Database.open(sqlite_url, claimant="test", clock=clock)


async def test_a_database_of_a_newer_version_is_not_touched(sqlite_url: str, clock: MovedClock) -> None:
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(CannotOpen, match="of a newer gpubot") as refused:
        await Database.open(sqlite_url, claimant="test", clock=clock)
    assert len(refused.value.words.splitlines()) == 1


async def test_a_migration_waits_for_nobody_who_has_the_database(url: str, database: Database) -> None:
    with pytest.raises(CannotOpen):
        await migrate(url)


async def test_after_postgresql_cut_every_connection_the_bot_goes_on_and_owns_it_again(
    postgres_url: str, clock: MovedClock
) -> None:
    database = await Database.open(postgres_url, claimant="test", clock=clock)
    await write(database, "before")
    await cut_connections(postgres_url)
    for _ in range(10):
        try:
            await write(database, "after")
            break
        except StoreBusy:
            continue
    assert await read(database) == "after"
    with pytest.raises(CannotOpen):
        await Database.open(postgres_url, claimant="second", clock=clock)
    await database.close()


async def test_a_database_taken_by_another_while_cut_off_is_not_written(
    postgres_url: str, clock: MovedClock
) -> None:
    first = await Database.open(postgres_url, claimant="first", clock=clock)
    await write(first, "before")
    await cut_connections(postgres_url)
    second = await Database.open(postgres_url, claimant="second", clock=clock)
    with pytest.raises(StoreBusy):
        await write(first, "after")
    assert await read(second) == "before"
    await second.close()
    await first.close()


async def test_a_lock_that_postgresql_does_not_give_in_time_is_told(postgres_url: str, clock: MovedClock) -> None:
    database = await Database.open(postgres_url, claimant="test", clock=clock)
    await make.begun(database)
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("SELECT id FROM rentals FOR UPDATE")
        with pytest.raises(StoreBusy):
            async with database.write() as tx:
                await tx.rentals.make_due(["k7mq2"], START)
    await other.close()
    await database.close()


async def test_a_person_waits_for_one_writer_of_the_background_at_most(sqlite_url: str, clock: MovedClock) -> None:
    database = await Database.open(sqlite_url, claimant="a", clock=clock)
    background = database.in_background()
    inside, goes_on = asyncio.Event(), asyncio.Event()
    order = []

    async def behind(name: str) -> None:
        async with background.write() as tx:
            inside.set()
            await goes_on.wait()
            await tx.account.set("name", name)
            order.append(name)

    async def person() -> None:
        await inside.wait()
        goes_on.set()
        await write(database, "person")
        order.append("person")

    try:
        await asyncio.gather(*(behind(f"background {number}") for number in range(3)), person())
        assert order.index("person") == 1
        assert await read(database) == order[-1]
    finally:
        await database.close()
