"""The PostgreSQL roles of the Compose file and the documentation suffice, and aren't superusers."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen
from store.db import Database, migrate
from store.preflight import Condition, check_database
from tests.databases import Postgres
from tests.store.fact import read, write

ROOT = Path(__file__).parents[2]
PASSWORD = "0123456789abcdef"  # noqa: S105 - a server that asks for none


def blocks(page: str, language: str, mark: str) -> list[str]:
    """Return the code blocks of a page in a language that contain this mark."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [code for code in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if mark in code]


async def psql(postgres: Postgres, url: str, script: str) -> None:
    """Run a script with psql, as in the container, which knows the password from the secret."""
    await asyncio.to_thread(
        subprocess.run,
        [postgres.server.bin_path / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url],
        input=script,
        env={**os.environ, "POSTGRES_PASSWORD": PASSWORD},
        check=True,
        text=True,
        capture_output=True,
    )


def as_role(url: str, role: str) -> str:
    return re.sub(r"//\w+:?@", f"//{role}@", url)


async def works(url: str, clock: MovedClock) -> None:
    """Check that a bot can run on a migrated database."""
    assert await check_database(url) is Condition.READY
    database = await Database.open(url, claimant="test", clock=clock)
    await write(database, "kept")
    assert await read(database) == "kept"
    await database.close()


async def is_superuser(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    finally:
        await connection.close()


async def test_in_a_new_compose_volume_the_bot_is_no_superuser(postgres: Postgres, clock: MovedClock) -> None:
    """The bot owns its database."""
    script = (ROOT / "deploy" / "postgres" / "own-role.sql").read_text(encoding="utf-8")
    await psql(postgres, postgres.url(), script.replace("gpubot", "own"))
    url = as_role(postgres.url("own"), "own")
    await migrate(url)
    await works(url, clock)
    assert not await is_superuser(url)


async def test_a_role_without_schema_rights_can_run_a_migrated_database(
    postgres: Postgres, clock: MovedClock
) -> None:
    roles, tables = (code.replace("gpubot", "shared") for code in blocks("replicas.md", "sql", "gpubot_schema"))
    await psql(postgres, postgres.url(), roles)
    await psql(postgres, postgres.url("shared"), tables)
    runs, owner = (as_role(postgres.url("shared"), role) for role in ("shared", "shared_schema"))
    with pytest.raises(CannotOpen, match="Its user lacks the permission"):
        await migrate(runs)
    await migrate(owner)
    await works(runs, clock)


@asynccontextmanager
async def older_volume(postgres: Postgres) -> AsyncIterator[str]:
    """Run a server that an earlier Compose file set up, with gpubot as its superuser.

    Yields the URL of the database.
    """
    user, programs = postgres.server.system_user, postgres.server.bin_path

    async def run(*command: object) -> None:
        await asyncio.to_thread(
            subprocess.run, list(map(str, command)), user=user, check=True, stdout=subprocess.DEVNULL
        )

    with tempfile.TemporaryDirectory(prefix="gpubot-older-", ignore_cleanup_errors=True) as folder:
        if user is not None:
            shutil.chown(folder, user)
        data = Path(folder) / "data"
        await run(programs / "initdb", "--username=gpubot", "--auth=trust", "--no-sync", "-D", data)
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        await run(programs / "pg_ctl", "start", "-w", "-D", data, "-o", options, "-l", Path(folder) / "log")
        try:
            url = f"postgresql://gpubot@/gpubot?host={folder}"
            await run(programs / "createdb", "--username=gpubot", "--host", folder, "gpubot")
            yield url
        finally:
            await run(programs / "pg_ctl", "stop", "-D", data, "-m", "immediate")


async def test_the_fix_for_older_compose_volumes_removes_superuser_rights(
    postgres: Postgres, clock: MovedClock, tmp_path: Path
) -> None:
    """The bot still owns its database afterwards."""
    (page,) = blocks("upgrade.md", "sh", "gpubot_move")
    script = page.partition("<<'END'\n")[2].partition("END\n")[0]
    secret = tmp_path / "postgres-password"
    secret.write_text(PASSWORD)
    async with older_volume(postgres) as url:
        await migrate(url)
        assert await is_superuser(url)
        await psql(postgres, url, script.replace("/run/secrets/postgres-password", str(secret)))
        await works(url, clock)
        assert not await is_superuser(url)
        assert await is_superuser(as_role(url, "postgres"))
        connection = await asyncpg.connect(as_role(url, "postgres"))
        passwords = await connection.fetch(
            "SELECT rolname, rolpassword IS NOT NULL FROM pg_authid WHERE rolcanlogin"
        )
        await connection.close()
        assert {tuple(row) for row in passwords} == {("gpubot", True), ("postgres", False)}
