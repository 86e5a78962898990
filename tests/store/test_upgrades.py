"""The database of each release is upgraded to the newest schema with all its rows, and can be read and written."""

from __future__ import annotations

import os
import stat
import subprocess
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from bot.clock import MovedClock
from bot.errors import CannotOpen
from bot.model.records import Change
from bot.model.state import State
from store.backup import dump_command, restore
from store.db import Database, migrate
from store.migrations import HEAD
from store.preflight import check_database
from tests.databases import Postgres
from tests.outbox import stored_messages
from tests.store import make
from tests.store.released import RELEASED, rows, schema
from tests.store.schemas import at, contents, engine, running


async def rows_of(url: str) -> dict[str, list[dict[str, Any]]]:
    database = engine(url)
    found = await at(database, contents)
    await database.dispose()
    return found


def test_each_revision_before_the_newest_has_a_dump() -> None:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    # v0200 to v0602 come with release 0.5.0, whose dump is made with it.
    assert (
        revisions - {"v0200", "v0300", "v0400", "v0500", "v0600", "v0601", "v0602", HEAD}
        <= set(RELEASED)
        <= revisions
    )


async def test_an_upgrade_keeps_every_row(released_url: str) -> None:
    before = await rows_of(released_url)
    await migrate(released_url)
    after = await rows_of(released_url)
    assert after["alembic_version"] == [{"version_num": HEAD}]
    for name in before.keys() - {"alembic_version"}:
        assert before[name], f"the dump has no row of {name}"
        columns = before[name][0].keys() & after[name][0].keys()
        assert [{column: row[column] for column in columns} for row in after[name]] == [
            {column: row[column] for column in columns} for row in before[name]
        ]
    database = engine(released_url)
    async with database.connect() as conn:
        assert await stored_messages(conn)
    await database.dispose()


def paste(commands: list[str]) -> None:
    """Run commands like a person who pastes them into a shell."""
    for command in commands:
        subprocess.run(command, shell=True, check=True)  # noqa: S602 - the test is about what a shell makes of it


async def test_run_backs_up_sqlite_before_migrating_and_prints_the_way_back(
    tmp_path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "the team's.db"
    url = f"sqlite:///{path}"
    database = engine(url)
    await at(database, schema(RELEASED[-1]))
    await at(database, running(*rows(RELEASED[-1])))
    await database.dispose()
    before = await rows_of(url)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)  # of the bot's user, while root migrates it

    def others() -> list[str]:
        return sorted(
            each.name for each in tmp_path.iterdir() if each.name not in {path.name, f"{path.name}.lock"}
        )

    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
        with pytest.raises(
            CannotOpen, match=r"can't be copied to .*: it needs .* MB, and the disk has 0.0 MB left"
        ):
            await Database.open(url, claimant="test", clock=clock)
    assert (await rows_of(url), others()) == (before, [])

    with capture_logs() as logs:
        await (await Database.open(url, claimant="test", clock=clock)).close()
    copied = tmp_path / f"{path.name}.before-{HEAD}"
    assert others() == [copied.name]
    assert stat.S_IMODE(copied.stat().st_mode) == 0o600
    assert copied.stat().st_uid == path.stat().st_uid
    assert await rows_of(f"sqlite:///{copied}") == before
    [line] = [line for line in logs if line["event"] == "database.copied"]
    after = await rows_of(url)

    # After SIGKILL, the newer database still has a write-ahead log.
    (tmp_path / f"{path.name}-wal").write_bytes(b"not of the older database")
    paste(line["go_back"])
    assert await rows_of(url) == before
    away = copied.name.replace("before", "after")
    assert others() == sorted([copied.name, away, f"{away}-wal"])
    (tmp_path / f"{away}-wal").unlink()
    assert await rows_of(f"sqlite:///{tmp_path / away}") == after

    # If the database hasn't changed, the existing copy is used again. Otherwise there is a second copy next to it.
    await migrate(url)
    assert [name for name in others() if "before" in name] == [copied.name]
    paste(line["go_back"])
    older = engine(url)
    await at(older, running("UPDATE people SET name = 'Ana Lopez' WHERE name = 'Ana'"))
    await older.dispose()
    await migrate(url)
    assert [name for name in others() if "before" in name] == [copied.name, f"{copied.name}.2"]
    assert await rows_of(f"sqlite:///{copied}") == before


async def test_run_does_not_migrate_postgresql_with_live_rentals(postgres: Postgres, clock: MovedClock) -> None:
    await postgres.run("CREATE DATABASE live_rentals")
    url = postgres.url("live_rentals")
    database = engine(url)
    await at(database, schema(RELEASED[-1]))
    await at(database, running(*rows(RELEASED[-1])))
    before = await at(database, contents)
    for start in (Database.open(url, claimant="test", clock=clock), check_database(url)):
        with pytest.raises(CannotOpen, match=r"\d+ rentals are live\. .*pg_dump .*gpubot migrate$") as refused:
            await start
        assert len(refused.value.words.splitlines()) == 1
    assert await at(database, contents) == before
    await at(database, running("UPDATE rentals SET live = false"))
    with capture_logs() as logs:
        await (await Database.open(url, claimant="test", clock=clock)).close()
    assert [line["dump_first"] for line in logs if line["event"] == "database.migrates"] == [dump_command(url)]
    await database.dispose()
    await postgres.run("DROP DATABASE live_rentals WITH (FORCE)")


@pytest.mark.parametrize(
    ("url", "dumps"),
    [
        ("postgresql://ana:s3cret@db.example:5432/gpubot", "gpubot.before-v0603.dump postgresql://ana@db.example:5432/gpubot"),
        ("postgresql://db.example/gpus?password=s3cret&sslmode=require", "gpus.before-v0603.dump 'postgresql://db.example/gpus?sslmode=require'"),
        ("postgresql://ana:s3cret@/gpubot?host=/run/postgresql", "gpubot.before-v0603.dump 'postgresql://ana@/gpubot?host=/run/postgresql'"),
        ("postgresql://ana:s3cret@db.example", "gpubot.before-v0603.dump postgresql://ana@db.example"),
    ],
)  # fmt: skip
def test_the_dump_command_contains_no_password(url: str, dumps: str) -> None:
    assert dump_command(url) == f"pg_dump --format=custom --file={dumps}"


def test_a_dump_is_restored_next_to_the_newer_database() -> None:
    assert restore("postgresql://ana:s3cret@/my%20gpus?host=/run/postgresql") == (
        "createdb --maintenance-db='postgresql://ana@/my%20gpus?host=/run/postgresql' my_gpus_before_v0603",
        "pg_restore --no-owner --exit-on-error "
        "--dbname='postgresql://ana@/my_gpus_before_v0603?host=/run/postgresql' my_gpus.before-v0603.dump",
    )


async def test_rentals_in_every_state_can_be_changed_after_an_upgrade(
    released_url: str, clock: MovedClock
) -> None:
    before = await rows_of(released_url)
    await migrate(released_url)
    database = await Database.open(released_url, claimant="test", clock=clock)
    found = set()
    for row in before["rentals"]:
        async with database.write() as tx:
            rental = await tx.rentals.get(row["id"])
            assert rental is not None
            assert (rental.quote_id is None) == (await tx.quotes.get(rental.quote_id or "") is None)
            again = Change(
                before=rental,
                after=make.next_of(rental),
                attempts=tuple(await tx.rentals.attempts(rental.id)),
                resources=tuple(await tx.rentals.resources(rental.id)),
                ledger=tuple(await tx.rentals.ledger(rental.id)),
                events=(make.event(rental_id=rental.id),),
            )
            await tx.rentals.apply(again)
            found.add(rental.state)
        async with database.read() as tx:
            assert await tx.rentals.get(rental.id) == again.after
            assert await tx.events.of(rental.id)
    assert found == set(State) - {State.QUEUED}  # newer than the dumps
    async with database.read() as tx:
        for message_id in range(1, len(before["messages"]) + 1):
            assert await tx.messages.get(message_id) is not None
        for question in before["admin_questions"]:
            assert await tx.questions.get(question["id"]) is not None
    await database.close()


async def test_a_machine_of_an_earlier_release_becomes_overdue_at_its_end(
    released_url: str, clock: MovedClock
) -> None:
    before = await rows_of(released_url)
    await migrate(released_url)
    database = await Database.open(released_url, claimant="test", clock=clock)
    states = set()
    async with database.read() as tx:
        for row in before["rentals"]:
            rental = await tx.rentals.get(row["id"])
            assert rental is not None
            if rental.state.over or all(one.closed for one in await tx.rentals.attempts(rental.id)):
                continue
            start = rental.accepted_at or rental.created_at
            ends_at = rental.lease.ends_at if rental.lease else None
            end = (rental.ending.since if rental.ending else None) or ends_at or start
            early, due = await tx.overdue.past_end(end - timedelta(seconds=1)), await tx.overdue.past_end(end)
            assert rental.id not in {one.rental_id for one in early}
            assert [one for one in due if one.rental_id == rental.id and one.newest]
            states.add(rental.state)
    assert states >= {State.PROCURING, State.PROVISIONING, State.READY, State.DESTROYING}
    await database.close()


async def test_references_are_checked_after_an_upgrade(released_url: str, clock: MovedClock) -> None:
    await migrate(released_url)
    database = await Database.open(released_url, claimant="test", clock=clock)

    async def orphan() -> None:
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=make.rental("other", quote_id="no such quote")))

    with pytest.raises(IntegrityError):
        await orphan()
    await database.close()
