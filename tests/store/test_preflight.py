"""The check before a start reports the condition that the start will find, and changes nothing."""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen, InUse
from store.db import Database
from store.preflight import Condition, check_database, is_pooled
from tests.databases import Postgres
from tests.programs import program
from tests.store.fact import NAME


async def test_a_migrated_database_is_ready_and_can_be_opened_afterwards(url: str, clock: MovedClock) -> None:
    assert await check_database(url) is Condition.READY
    database = await Database.open(url, claimant="test", clock=clock)
    async with database.read() as tx:
        assert not await tx.rentals.any_ever()
    await database.close()


async def test_a_database_used_by_a_gpubot_is_in_use_unless_shared(url: str, clock: MovedClock) -> None:
    database = await Database.open(url, claimant="test", clock=clock)
    if url.startswith("sqlite"):
        with pytest.raises(InUse):
            await check_database(url)
    else:
        assert await check_database(url) is Condition.READY
    async with database.write() as tx:
        await tx.account.set(NAME, "still works")
    await database.close()


async def test_an_empty_postgresql_database_stays_empty(postgres: Postgres) -> None:
    await postgres.run("CREATE DATABASE checked")
    assert await check_database(postgres.url("checked")) is Condition.OLDER
    assert await check_database(postgres.url("checked")) is Condition.OLDER


async def test_a_connection_pooler_is_detected(postgres: Postgres, tmp_path: Path) -> None:
    host = postgres.url().split("host=")[1]
    ini = Path(host).parent / "pgbouncer.ini"
    ini.write_text(
        f"[databases]\npostgres = host={host} user=postgres\n"
        "[pgbouncer]\nauth_type = any\npool_mode = transaction\n"
        f"listen_addr =\nlisten_port = 6432\nunix_socket_dir = {host}\n"
        "ignore_startup_parameters = lock_timeout, idle_in_transaction_session_timeout\n"
    )
    # Like PostgreSQL, it refuses to run as root.
    user = getpass.getuser() if os.getuid() else pwd.getpwuid(os.stat(host).st_uid).pw_name
    command = [program("pgbouncer"), "-q", "-u", user, str(ini)]
    pooler = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        url = f"postgresql://postgres@/postgres?host={host}&port=6432"
        await until_it_answers(url)
        assert await is_pooled(url)
        assert not await is_pooled(postgres.url())
        assert not await is_pooled(f"sqlite:///{tmp_path}/gpubot.db")
    finally:
        pooler.terminate()
        await pooler.communicate()


async def until_it_answers(url: str) -> None:
    while True:
        with suppress(OSError):
            await (await asyncpg.connect(url)).close()
            return
        await asyncio.sleep(0.05)


async def test_a_user_without_write_permission_cannot_open_the_database(postgres: Postgres) -> None:
    await postgres.run(
        "CREATE DATABASE not_ours", "CREATE ROLE reader LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    )
    url = postgres.url("not_ours").replace("postgres:", "reader:", 1)
    assert "reader" in url
    with pytest.raises(CannotOpen, match="Its user lacks the permission"):
        await check_database(url)
