"""Copies of a filled database: restored backups, and the move from SQLite to PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.clock import MovedClock
from bot.errors import CannotOpen, InUse, Mistake
from bot.model.records import Change
from soak.databases import SERVER_PACKAGE
from store.backup import copy_sqlite, dump_command
from store.copying import copy_to_postgres
from store.db import Database, migrate
from store.tables import metadata
from tests.databases import Postgres
from tests.store import make
from tests.store.released import RELEASED, rows, schema
from tests.store.schemas import at, contents, engine, running

_SERVER = importlib.util.find_spec(SERVER_PACKAGE)
assert _SERVER is not None
assert _SERVER.origin is not None
PROGRAMS = max(Path(_SERVER.origin).parent.glob("pginstall*")) / "bin"
"""PostgreSQL's own programs, in the newest version that the package has. They can also dump older servers."""
NEW_SINCE = (
    """INSERT INTO balances VALUES ('2025-03', 'team', '', 5000000000000, 2, 3, 0, NULL, NULL)""",
    """INSERT INTO reservations VALUES ('mmmmm', '2025-03', 'U1', 'vision', 5000000000000)""",
    """INSERT INTO filed_months VALUES ('2025-02', '2025-03-01 00:00:00.000000', 'name;"a" é\n')""",
    """INSERT INTO policy_versions VALUES (1, '2025-03-01 00:00:00.000001', NULL, '{"text": "limits: {}"}')""",
    """INSERT INTO shared_searches
    VALUES ('q1', '{"gpu": "H100"}', '2025-03-01 00:00:00.000001', 2, NULL, NULL, NULL)""",
    """INSERT INTO tokens VALUES ('t1', 1, 'U1', 'eval;"a" é', 'live', NULL, NULL, NULL, NULL, 'ab12',
    '2025-03-01 00:00:00.000001', NULL, '', NULL, NULL, NULL, NULL, NULL, true)""",
    """INSERT INTO logins VALUES ('l1', 'KTRWXQMB', 'a2V5', 'gpubot', 'h;"1" é', 'uid 1000',
    '2025-03-01 00:00:00.000001', '2025-03-01 00:10:00.000001', NULL, NULL, NULL)""",
    """INSERT INTO jobs VALUES ('sweep', '2025-03-01 00:00:00.000001', NULL, NULL)""",
)
"""Rows of the tables that the release didn't have."""


async def fill(url: str, clock: MovedClock) -> None:
    """Fill every table of a database: with the rows of a release, and with rows for newer tables."""
    database = engine(url)
    await at(database, schema(RELEASED[-1]))
    await at(database, running(*rows(RELEASED[-1])))
    await database.dispose()
    await migrate(url)
    store = await Database.open(url, claimant="test", clock=clock)
    await make.store_charged(store, make.charge(rental_id="mmmmm"))
    await store.close()
    await at(database, running(*NEW_SINCE))
    await database.dispose()


async def stored(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row as text and numbers that are the same on both kinds of database."""
    database = engine(url)
    found = await at(database, contents)
    await database.dispose()
    return {
        name: sorted(({key: _plain(value) for key, value in row.items()} for row in table), key=str)
        for name, table in found.items()
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return int(value) if isinstance(value, bool) else value


@pytest.fixture
async def filled(tmp_path: Path, clock: MovedClock) -> str:
    """Return the URL of a SQLite database with rows in every table."""
    url = f"sqlite:///{tmp_path}/filled.db"
    await fill(url, clock)
    return url


async def write_event(database: Database) -> None:
    """Change a rental, which adds an event."""
    async with database.write() as tx:
        [rental, *_] = await tx.rentals.live()
        await tx.rentals.apply(
            Change(before=rental, after=make.next_of(rental), events=(make.event(rental_id=rental.id),))
        )


# --- backups


async def test_a_backup_of_a_sqlite_database_in_use_is_consistent(
    filled: str, clock: MovedClock, tmp_path: Path
) -> None:
    database = await Database.open(filled, claimant="test", clock=clock)
    await write_event(database)
    before = await stored(filled)
    copy = tmp_path / "copy.db"
    copy_sqlite(Path(filled.removeprefix("sqlite:///")), copy)
    await write_event(database)
    assert await stored(filled) != before
    await database.close()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    restored = await Database.open(f"sqlite:///{copy}", claimant="test", clock=clock)
    assert await stored(f"sqlite:///{copy}") == before
    await restored.close()
    with pytest.raises(CannotOpen, match="exists already"):
        copy_sqlite(Path(filled.removeprefix("sqlite:///")), copy)


async def test_a_dump_of_a_postgresql_database_in_use_restores_every_row(
    postgres: Postgres, clock: MovedClock, tmp_path: Path
) -> None:
    await postgres.run("CREATE DATABASE dumped", "CREATE DATABASE restored")
    url, other = postgres.url("dumped"), postgres.url("restored")
    await fill(url, clock)
    before = await stored(url)
    database = await Database.open(url, claimant="test", clock=clock)
    await write_event(database)
    before = await stored(url)
    for command in (
        dump_command(url, f"{tmp_path}/gpubot.dump"),
        f"pg_restore --no-owner --dbname='{other}' {tmp_path}/gpubot.dump",
    ):
        shell(command)
    await database.close()
    assert await stored(other) == before
    again = await Database.open(other, claimant="test", clock=clock)
    await write_event(again)
    await again.close()
    await postgres.run("DROP DATABASE dumped", "DROP DATABASE restored")


def shell(command: str) -> None:
    """Run a command in the way in which an operator pastes it, with PostgreSQL's programs."""
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    subprocess.run(command, shell=True, check=True, env={**os.environ, "PATH": path})  # noqa: S602 - as pasted


# --- from SQLite to PostgreSQL


@pytest.fixture
async def empty(postgres: Postgres) -> Any:
    """Yield the URL of a PostgreSQL database without tables."""
    await postgres.run("CREATE DATABASE copied")
    yield postgres.url("copied")
    await postgres.run("DROP DATABASE copied WITH (FORCE)")


async def test_a_copy_in_postgresql_has_every_row_and_continues_the_numbering(
    filled: str, empty: str, clock: MovedClock
) -> None:
    before = await stored(filled)
    assert {name for name in metadata.tables if not before[name]} == set()
    count = await copy_to_postgres(filled, empty)
    assert count == sum(map(len, before.values())) - len(before["alembic_version"])
    assert await stored(empty) == before
    assert await stored(filled) == before
    database = await Database.open(empty, claimant="test", clock=clock)
    await write_event(database)
    await database.close()
    assert len((await stored(empty))["events"]) == len(before["events"]) + 1
    with pytest.raises(CannotOpen, match="isn't empty"):
        await copy_to_postgres(filled, empty)


async def test_databases_in_use_or_of_an_older_version_are_not_copied(
    filled: str, empty: str, clock: MovedClock, tmp_path: Path
) -> None:
    database = await Database.open(filled, claimant="test", clock=clock)
    with pytest.raises(InUse):
        await copy_to_postgres(filled, empty)
    await database.close()
    older = engine(f"sqlite:///{tmp_path}/older.db")
    await at(older, schema(RELEASED[-1]))
    await older.dispose()
    with pytest.raises(CannotOpen, match="gpubot migrate"):
        await copy_to_postgres(f"sqlite:///{tmp_path}/older.db", empty)
    with pytest.raises(CannotOpen, match="There is no database"):
        await copy_to_postgres(f"sqlite:///{tmp_path}/none.db", empty)
    for source, target in ((empty, empty), (filled, filled)):
        with pytest.raises(Mistake):
            await copy_to_postgres(source, target)
    assert await stored(empty) == {}
    other = engine(empty)
    await at(other, running("CREATE TABLE of_somebody_else (id integer)"))
    await other.dispose()
    with pytest.raises(CannotOpen, match="isn't empty"):
        await copy_to_postgres(filled, empty)


# --- the commands


def test_backup_copies_sqlite_and_explains_how_to_dump_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that it prints doesn't contain the password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPUBOT_DATABASE_URL", "sqlite:///old.db")

    def gpubot(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["gpubot", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, "".join(capsys.readouterr())

    assert gpubot("backup", "new.db") == (1, "There is no database old.db.\n")
    sqlite3.connect("old.db").close()
    assert gpubot("backup", "new.db") == (0, "old.db is copied to new.db.\n")
    monkeypatch.setenv("GPUBOT_DATABASE_URL", "postgresql://ana:s3cret@db.example/gpubot")
    assert gpubot("backup", "new file") == (
        1,
        "Nothing was copied. For a PostgreSQL database:  "
        "pg_dump --format=custom --file='new file' postgresql://ana@db.example/gpubot\n",
    )
    monkeypatch.setenv("GPUBOT_DATABASE_URL", "oracle://")
    assert gpubot("backup", "new.db")[1].startswith("GPUBOT_DATABASE_URL: it must be sqlite:///PATH")
