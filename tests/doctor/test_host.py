"""The doctor's findings about this machine: the database, the port, the proxies, the clock."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot.clock import SystemClock
from bot.doctor.findings import all_well
from bot.doctor.host import start_command
from bot.ops import health
from sandbox.serving import serve
from store.db import Database
from store.migrations import HEAD
from tests.doctor.conftest import Installation
from tests.recording_proxy import no_proxies, recording_proxy

# --- the socket for operator commands


async def test_a_socket_folder_writable_by_others_is_not_ok(installation: Installation) -> None:
    findings = [finding.line() for finding in await installation.examine()]
    assert "ok      GPUBOT_SOCKET: only this user and root can type commands for it." in findings
    folder = installation.folder
    folder.chmod(0o755)
    look = f"other users of this machine can look into {folder}. Type: chmod 700 {folder}"
    assert f"hint    GPUBOT_SOCKET: {look}" in [finding.line() for finding in await installation.examine()]
    folder.chmod(0o777)
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  GPUBOT_SOCKET: other users of this machine can write to ")
    assert line.endswith(f"Type: chmod go-w {folder}")
    installation.set(GPUBOT_SOCKET=f"{folder}/new/gpubot.sock")
    findings = [finding.line() for finding in await installation.examine()]
    assert "ok      GPUBOT_SOCKET: its folder doesn't exist yet; gpubot run creates it." in findings


# --- the database


async def test_a_database_in_use_by_gpubot_is_ok(installation: Installation) -> None:
    database = await Database.open(f"sqlite:///{installation.database}", claimant="gpubot", clock=SystemClock())
    findings = await installation.examine()
    await database.close()
    assert "ok      database: a running gpubot is using it. That's fine, but a second gpubot can't start." in [
        f.line() for f in findings
    ]
    assert all_well(findings)


async def test_a_missing_database_is_not_created(installation: Installation) -> None:
    path = installation.folder / "new" / "gpubot.sqlite"
    installation.set(GPUBOT_DATABASE_URL=f"sqlite:///{path}")
    findings = await installation.examine()
    assert "ok      database: it doesn't exist yet; gpubot run creates it." in [f.line() for f in findings]
    assert not path.parent.exists()


async def test_a_database_folder_that_cannot_be_created_is_not_ok(installation: Installation) -> None:
    (installation.folder / "file").touch()
    installation.set(GPUBOT_DATABASE_URL=f"sqlite:///{installation.folder}/file/gpubot.sqlite")
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  database: The database ")
    assert line.endswith(f"can't be made: {installation.folder}/file is no folder.")


async def test_an_empty_database_file_is_not_migrated(installation: Installation) -> None:
    installation.database.write_bytes(b"")
    findings = await installation.examine()
    assert "ok      database: it can be opened; gpubot run updates its schema." in [f.line() for f in findings]
    with closing(sqlite3.connect(installation.database)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_a_database_from_before_the_first_release_is_not_ok(installation: Installation) -> None:
    with closing(sqlite3.connect(installation.database, isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0007'")
    (line,) = await installation.not_ok()
    assert (
        "database: The database was made by a gpubot before 0.1.0 (schema 0007), which no release can read."
        in line
    )


async def test_a_file_that_is_not_a_database_is_not_ok(installation: Installation) -> None:
    installation.database.write_text("no database at all, but some text of a certain length\n" * 30)
    assert await installation.not_ok() == [
        "not ok  database: The database can't be used. It isn't an SQLite database.",
    ]


async def test_a_database_of_a_newer_gpubot_is_not_ok(installation: Installation) -> None:
    with closing(sqlite3.connect(installation.database, isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9999'")
    assert await installation.not_ok() == [
        f"not ok  database: The database was made by a newer gpubot (schema v9999, this version has {HEAD}). "
        "Install that version."
    ]


async def test_a_database_that_another_program_locks_is_not_ok(installation: Installation) -> None:
    with closing(sqlite3.connect(installation.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await installation.not_ok() == [
            "not ok  database: another program holds its write lock. Close that program, then try again."
        ]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bot:hunter2secret@127.0.0.1:notaport/gpubot",
        "postgresql://bot:hunter2secret/more@127.0.0.1/gpubot",
    ],
)
async def test_a_malformed_database_address_is_shown_without_its_password(
    installation: Installation, url: str
) -> None:
    installation.secrets += ["hunter2secret"]
    installation.set(GPUBOT_DATABASE_URL=url)
    (line,) = await installation.not_ok()
    assert "database: GPUBOT_DATABASE_URL is no address that PostgreSQL understands" in line


async def test_a_database_server_that_does_not_answer_is_not_ok(installation: Installation) -> None:
    installation.secrets += ["hunter2secret"]
    installation.set(GPUBOT_DATABASE_URL="postgresql://bot:hunter2secret@127.0.0.1:1/gpubot")
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  database: The database can't be reached:")


# --- the port, the proxies, the clock


async def test_a_port_in_use_by_gpubot_is_ok(installation: Installation) -> None:
    async def report() -> health.Report:
        return {"clock": {"revision": 0}, "settled": True}

    async def figures() -> bytes:
        return b""

    address = f"127.0.0.1:{installation.compute_url.rpartition(':')[2]}"
    await installation.compute.stop()
    runner = await health.serve(address, SystemClock(), report, figures, lambda: False)
    installation.set(GPUBOT_HTTP=address)
    findings = await installation.examine()
    await runner.close()
    assert f"ok      GPUBOT_HTTP: a running gpubot answers on {address}." in [f.line() for f in findings]


async def test_a_socket_for_programs_needs_a_folder_that_only_the_bot_writes(
    installation: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    installation.set(GPUBOT_API=f"unix:{folder / 'api.sock'}")
    assert await installation.not_ok() == [
        f"not ok  GPUBOT_API: there is no folder {folder}. Create it, so that programs can enter it."
    ]
    folder.mkdir(mode=0o750)
    findings = await installation.examine()
    assert "ok      GPUBOT_API: only root, this user and its group can reach it." in [f.line() for f in findings]


async def test_a_port_in_use_by_another_program_is_not_ok(installation: Installation) -> None:
    address = installation.slack.url.removeprefix("http://")
    installation.set(GPUBOT_HTTP=address)
    assert await installation.not_ok() == [
        f"not ok  GPUBOT_HTTP: another program listens on {address}. Set it to a free port, as 127.0.0.1:8601."
    ]


async def test_a_listen_address_of_another_machine_is_not_ok(installation: Installation) -> None:
    installation.set(GPUBOT_HTTP="192.0.2.7:8600")
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  GPUBOT_HTTP: I can't listen on 192.0.2.7:8600: ")
    assert line.endswith("Name an address of this machine.")


@asynccontextmanager
async def market_at(ahead: timedelta) -> AsyncIterator[str]:
    """Serve a Compute Clear whose clock is ahead of this machine's."""

    async def answer(request: web.Request) -> web.Response:
        body = {"/available_gpus": {"H100": ["nvidia-h100"]}, "/resources": {"resources": []}}.get(
            request.path, []
        )
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        return web.json_response(body, headers={"Date": date})

    app = web.Application()
    app.router.add_get("/{path}", answer)
    served = await serve(app)
    yield served.url
    await served.stop()


async def test_a_clock_that_is_far_off_is_a_hint(installation: Installation) -> None:
    async with market_at(timedelta(hours=-2)) as url:
        installation.set(COMPUTE_CLEAR_URL=url)
        findings = await installation.examine()
    (line,) = [f.line() for f in findings if f.mark == "hint"]
    assert line.startswith(
        "hint    clock: this machine is 2 h 0 min ahead of Compute Clear. Prices and leases depend on"
    )
    assert all_well(findings)


async def test_a_sandbox_clock_is_ok_only_if_it_answers(installation: Installation) -> None:
    installation.set(GPUBOT_CLOCK_URL=installation.compute_url)
    lines = [finding.line() for finding in await installation.examine()]
    assert "ok      GPUBOT_CLOCK_URL: a sandbox's clock, at 2026-11-24 12:00 UTC." in lines
    installation.set(GPUBOT_CLOCK_URL=f"{installation.compute_url}/nowhere")
    assert await installation.not_ok() == [
        "not ok  GPUBOT_CLOCK_URL: no clock answers at this address. Start the sandbox, or leave the setting out."
    ]


async def test_a_proxy_is_shown_without_its_password(
    installation: Installation,
) -> None:
    """A request to this machine never uses the proxy."""
    no_proxies(installation.env)
    async with recording_proxy() as proxy:
        installation.secrets.append("hush")
        installation.set(
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy.url.replace("//", "//ana:hush@"))
        )
        findings = await installation.examine()
        assert all_well(findings)
        assert not [finding for finding in findings if finding.what == "proxy"]
        assert proxy.asked == []
        installation.set(SLACK_API_URL="https://slack.test/api/")
        findings = await installation.examine()
        through = proxy.url.removeprefix("http://")
        assert [f.line() for f in findings if f.what == "proxy"] == [
            f"ok      proxy: Slack is asked through {through}."
        ]
        assert set(proxy.asked) == {"CONNECT slack.test:443"}
        installation.set(HTTPS_PROXY="socks5://ana:hush@127.0.0.1:1080")
        assert (await installation.not_ok())[0] == (
            "not ok  proxy: HTTPS_PROXY names a socks5 proxy, but I can only use http and https proxies. "
            "Name one of those, or list slack.test in NO_PROXY."
        )


def test_root_is_pointed_to_the_service_and_others_to_run(tmp_path: Path) -> None:
    server, laptop = tmp_path, tmp_path / "missing"
    assert start_command("gpubot", user=0, systemd=server) == "systemctl enable --now gpubot"
    assert start_command("gpubot", user=0, systemd=laptop) == "gpubot run"
    assert start_command(".venv/bin/gpubot", user=1000, systemd=server) == ".venv/bin/gpubot run"
