"""What the doctor finds about settings, the policy, Compute Clear, the database and this machine."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot import health
from bot.clock import SystemClock
from bot.doctor.findings import all_well
from bot.errors import CannotOpen
from sandbox.serving import serve
from sandbox.slack.default import CLEO
from store.db import Database, migrate
from store.migrations import HEAD
from tests.doctor.conftest import Practice
from tests.recording_proxy import no_proxies, recording_proxy

TIMEOUT = 60


# --- settings and policy


async def test_each_missing_or_wrong_setting_has_a_line_and_the_rest_is_checked(practice: Practice) -> None:
    practice.env.delenv("SLACK_BOT_TOKEN")
    practice.set(GPUBOT_ADMINS="cleo")
    findings = await practice.examine()
    assert [f.line() for f in findings if f.mark == "not ok"] == [
        "not ok  settings: SLACK_BOT_TOKEN is not set. "
        "It is the Bot User OAuth Token of your Slack app, which begins with xoxb-.",
        "not ok  settings: GPUBOT_ADMINS is not what I expect: "
        "a list of Slack user ids, comma-separated, such as U0123ABCD (in Slack: profile, Copy member ID).",
    ]
    assert "left    Slack bot token: not checked; SLACK_BOT_TOKEN first." in [f.line() for f in findings]
    assert {f.what for f in findings if f.mark == "ok"} >= {
        "Slack app token",
        "Compute Clear catalogue",
        "database",
    }
    assert not [f for f in findings if f.what.startswith("admin")]


async def test_a_policy_with_mistakes_has_a_line_for_each(practice: Practice) -> None:
    practice.policy("lease: {default: 4}\nauto_aprove: {}\n")
    assert await practice.wrongs() == [
        "not ok  policy: lease.default: write it with a unit, such as 15m or 4h.",
        "not ok  policy: auto_aprove: there is no such key.",
    ]


async def test_a_missing_policy_file_is_not_ok(practice: Practice) -> None:
    practice.set(GPUBOT_POLICY="/nowhere/policy.yml")
    assert await practice.wrongs() == [
        "not ok  policy: I can't read /nowhere/policy.yml: No such file or directory."
    ]


async def test_a_dotenv_that_others_can_read_is_a_hint(practice: Practice) -> None:
    (practice.folder / ".env").write_text("GPUBOT_LOG=json\n")
    (practice.folder / ".env").chmod(0o640)
    findings = await practice.examine()
    assert "hint    settings: other users of this machine can read or write .env. Type: chmod 600 .env" in [
        f.line() for f in findings
    ]
    assert all_well(findings)
    (practice.folder / ".env").chmod(0o600)
    assert not [f for f in await practice.examine() if f.mark == "hint" and f.what == "settings"]


async def test_a_dotenv_that_can_not_be_read_is_one_line_and_the_rest_is_checked(practice: Practice) -> None:
    (practice.folder / ".env").write_bytes(b"GPUBOT_CHANNEL=\xff\n")
    practice.env.delenv("GPUBOT_CHANNEL")
    practice.env.delenv("COMPUTE_CLEAR_TOKEN")
    assert await practice.wrongs() == ["not ok  settings: .env: I can't read it: it is not UTF-8 text."]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GPUBOT_HTTP", "127.0.0.1:http"),
        ("GPUBOT_HTTP", f"{'a' * 300}:8600"),
        ("GPUBOT_DATABASE_URL", "sqlite:///:memory:"),
        ("GPUBOT_DATABASE_URL", f"sqlite:////tmp/{'a' * 300}"),
        ("GPUBOT_DATABASE_URL", f"sqlite:////tmp/{'a' * 252}"),
        ("GPUBOT_DATABASE_URL", f"postgresql://{'a' * 300}/gpubot"),
        ("GPUBOT_DATABASE_URL", "postgresql://127.0.0.1:99999/gpubot"),
        ("COMPUTE_CLEAR_TOKEN", "one\ntwo"),
        ("GPUBOT_POLICY", "/"),
    ],
)
async def test_a_setting_that_run_would_refuse_is_one_line(practice: Practice, name: str, value: str) -> None:
    practice.set(**{name: value})
    (line,) = await practice.wrongs()
    assert "bug" not in line
    assert len(line) < 400


# --- Compute Clear


async def test_a_refused_token_is_not_ok_and_what_needs_it_is_not_checked(practice: Practice) -> None:
    await practice.market("token", valid=False)
    findings = await practice.examine()
    assert [f.line() for f in findings if f.mark == "not ok"] == [
        "not ok  Compute Clear token: refused. "
        "Copy it again from your Compute Clear account into COMPUTE_CLEAR_TOKEN."
    ]
    assert [f.what for f in findings if f.mark == "left"] == ["Compute Clear catalogue", "Compute Clear resources"]


async def test_a_proxy_is_named_without_its_password_and_never_asked_for_this_machine(practice: Practice) -> None:
    no_proxies(practice.env)
    async with recording_proxy() as proxy:
        practice.secrets.append("hush")
        practice.set(
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy.url.replace("//", "//ana:hush@"))
        )
        findings = await practice.examine()
        assert all_well(findings)
        assert not [finding for finding in findings if finding.what == "proxy"]
        assert proxy.asked == []
        practice.set(SLACK_API_URL="https://slack.test/api/")
        findings = await practice.examine()
        through = proxy.url.removeprefix("http://")
        assert [f.line() for f in findings if f.what == "proxy"] == [
            f"ok      proxy: Slack is asked through {through}."
        ]
        assert set(proxy.asked) == {"CONNECT slack.test:443"}
        practice.set(HTTPS_PROXY="socks5://ana:hush@127.0.0.1:1080")
        assert (await practice.wrongs())[0] == (
            "not ok  proxy: HTTPS_PROXY names a socks5 proxy, and I can use only http and https ones. "
            "Name one of those, or list slack.test in NO_PROXY."
        )


async def test_the_sizes_of_the_catalogue_and_the_account_are_shown(practice: Practice) -> None:
    await practice.market("resources", name="train-3", gpu_type="H100", rate="2.10")
    lines = [f.line() for f in await practice.examine()]
    assert "ok      Compute Clear token: taken." in lines
    assert any(
        line.startswith("ok      Compute Clear catalogue: 7 GPU families, 10 vendors, in ") for line in lines
    )
    assert any(line.startswith("ok      Compute Clear resources: 1 on the account, in ") for line in lines)


async def test_an_address_that_leads_to_another_server_is_not_ok(practice: Practice) -> None:
    practice.set(COMPUTE_CLEAR_URL=practice.slack.url)
    assert await practice.wrongs() == [
        "not ok  Compute Clear catalogue: Compute Clear refused the question (404). "
        "Check COMPUTE_CLEAR_URL, which leads to 127.0.0.1; else try again later.",
        "not ok  Compute Clear resources: Compute Clear refused the question (404). "
        "Check COMPUTE_CLEAR_URL, which leads to 127.0.0.1; else try again later.",
    ]


async def test_an_address_that_nobody_answers_at_is_not_ok(practice: Practice) -> None:
    await practice.compute.stop()
    catalog_cache, resources = await practice.wrongs()
    assert "Compute Clear catalogue: Compute Clear can't be reached. Check COMPUTE_CLEAR_URL" in catalog_cache
    assert "Compute Clear resources: Compute Clear can't be reached. Check COMPUTE_CLEAR_URL" in resources


async def test_a_failing_endpoint_does_not_affect_the_other(practice: Practice) -> None:
    await practice.market("faults", endpoint="list_resources", kind="garbage")
    (line,) = await practice.wrongs()
    assert line.startswith("not ok  Compute Clear resources: Compute Clear's answer makes no sense to me.")


# --- the database


async def test_a_database_in_use_by_gpubot_is_ok(practice: Practice) -> None:
    database = await Database.open(f"sqlite:///{practice.database}", claimant="gpubot", clock=SystemClock())
    findings = await practice.examine()
    await database.close()
    assert "ok      database: a running gpubot has it. That is fine; a second one could not start." in [
        f.line() for f in findings
    ]
    assert all_well(findings)


async def test_a_missing_database_is_not_created(practice: Practice) -> None:
    path = practice.folder / "new" / "gpubot.sqlite"
    practice.set(GPUBOT_DATABASE_URL=f"sqlite:///{path}")
    findings = await practice.examine()
    assert "ok      database: not there yet; gpubot run makes it." in [f.line() for f in findings]
    assert not path.parent.exists()


async def test_a_database_folder_that_can_not_be_created_is_not_ok(practice: Practice) -> None:
    (practice.folder / "file").touch()
    practice.set(GPUBOT_DATABASE_URL=f"sqlite:///{practice.folder}/file/gpubot.sqlite")
    (line,) = await practice.wrongs()
    assert line.startswith("not ok  database: The database ")
    assert line.endswith(f"can't be made: {practice.folder}/file is no folder.")


async def test_an_empty_database_file_is_not_migrated(practice: Practice) -> None:
    practice.database.write_bytes(b"")
    findings = await practice.examine()
    assert "ok      database: opens; gpubot run brings its schema up to date." in [f.line() for f in findings]
    with closing(sqlite3.connect(practice.database)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_a_file_that_is_no_database_is_not_ok(practice: Practice) -> None:
    practice.database.write_text("no database at all, but some text of a certain length\n" * 30)
    assert await practice.wrongs() == [
        "not ok  database: The database can't be used. It is no SQLite database.",
    ]


async def test_a_database_of_a_newer_gpubot_is_not_ok(practice: Practice) -> None:
    with closing(sqlite3.connect(practice.database, isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    assert await practice.wrongs() == [
        f"not ok  database: The database is of a newer gpubot (schema 9999, mine is {HEAD}). Install that one."
    ]


async def test_a_database_that_another_program_locks_is_not_ok(practice: Practice) -> None:
    with closing(sqlite3.connect(practice.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await practice.wrongs() == [
            "not ok  database: another program holds its write lock. Close that one, then try again."
        ]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bot:hunter2secret@127.0.0.1:notaport/gpubot",
        "postgresql://bot:hunter2secret/more@127.0.0.1/gpubot",
    ],
)
async def test_a_malformed_database_address_is_shown_without_its_password(practice: Practice, url: str) -> None:
    practice.secrets += ["hunter2secret"]
    practice.set(GPUBOT_DATABASE_URL=url)
    (line,) = await practice.wrongs()
    assert "database: GPUBOT_DATABASE_URL is no address that PostgreSQL understands" in line


async def test_a_database_server_that_does_not_answer_is_not_ok(practice: Practice) -> None:
    practice.secrets += ["hunter2secret"]
    practice.set(GPUBOT_DATABASE_URL="postgresql://bot:hunter2secret@127.0.0.1:1/gpubot")
    (line,) = await practice.wrongs()
    assert line.startswith("not ok  database: The database can't be reached:")


# --- this machine


async def test_a_port_in_use_by_gpubot_is_ok(practice: Practice) -> None:
    async def report() -> health.Report:
        return {"clock": {"revision": 0}, "settled": True}

    async def figures() -> bytes:
        return b""

    address = f"127.0.0.1:{practice.compute_url.rpartition(':')[2]}"
    await practice.compute.stop()
    runner = await health.serve(address, SystemClock(), report, figures)
    practice.set(GPUBOT_HTTP=address)
    findings = await practice.examine()
    await runner.cleanup()
    assert f"ok      GPUBOT_HTTP: a running gpubot answers on {address}." in [f.line() for f in findings]


async def test_a_port_in_use_by_another_program_is_not_ok(practice: Practice) -> None:
    address = practice.slack.url.removeprefix("http://")
    practice.set(GPUBOT_HTTP=address)
    assert await practice.wrongs() == [
        f"not ok  GPUBOT_HTTP: another program listens on {address}. Set it to a free port, as 127.0.0.1:8601."
    ]


async def test_a_listen_address_of_another_machine_is_not_ok(practice: Practice) -> None:
    practice.set(GPUBOT_HTTP="192.0.2.7:8600")
    (line,) = await practice.wrongs()
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


async def test_a_clock_that_is_far_off_is_a_hint(practice: Practice) -> None:
    async with market_at(timedelta(hours=-2)) as url:
        practice.set(COMPUTE_CLEAR_URL=url)
        findings = await practice.examine()
    (line,) = [f.line() for f in findings if f.mark == "hint"]
    assert line.startswith(
        "hint    clock: this machine is 2 h 0 min ahead of Compute Clear. Prices and leases go by"
    )
    assert all_well(findings)


# --- the command


async def doctor(folder: Path) -> tuple[int | None, str, str]:
    """Run `gpubot doctor` as a process. Return its status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "doctor",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    out, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    return process.returncode, out.decode(), errors.decode()


async def test_the_command_ends_with_status_0_if_all_is_well(practice: Practice) -> None:
    practice.env.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    status, out, errors = await doctor(practice.folder)
    assert (status, errors) == (0, "")
    lines = out.splitlines()
    assert f"ok      admin {CLEO}: Cleo." in lines
    assert lines[-1] == "All is well. Next: gpubot run"


async def test_the_command_ends_with_status_1_and_prints_no_secret(practice: Practice) -> None:
    practice.env.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    await practice.workspace("POST", "tokens", bot="revoked")
    await practice.market("token", valid=False)
    status, out, errors = await doctor(practice.folder)
    assert (status, errors) == (1, "")
    assert "not ok  Slack bot token: Slack refuses it (token_revoked)." in out
    assert "not ok  Compute Clear token: refused." in out
    assert out.splitlines()[-1] == "Mend what is not ok, then again: gpubot doctor"
    for secret in (practice.slack.bot_token, practice.slack.app_token, practice.compute.token):
        assert secret not in out + errors


async def test_an_older_schema_is_ok_because_run_migrates_it(practice: Practice) -> None:
    with closing(sqlite3.connect(practice.database, isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
    findings = await practice.examine()
    assert "ok      database: opens; gpubot run brings its schema up to date." in [f.line() for f in findings]


async def test_migrate_refuses_a_database_of_a_newer_gpubot(practice: Practice) -> None:
    with closing(sqlite3.connect(practice.database, isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CannotOpen, match="newer gpubot"):
        await migrate(f"sqlite:///{practice.database}")


async def test_a_sandbox_clock_is_ok_only_if_it_answers(practice: Practice) -> None:
    practice.set(GPUBOT_CLOCK_URL=practice.compute_url)
    lines = [finding.line() for finding in await practice.examine()]
    assert "ok      GPUBOT_CLOCK_URL: a sandbox's clock, at 2026-11-24 12:00 UTC." in lines
    practice.set(GPUBOT_CLOCK_URL=f"{practice.compute_url}/nowhere")
    assert await practice.wrongs() == [
        "not ok  GPUBOT_CLOCK_URL: no clock answers there. Start the sandbox that it names, or leave it out."
    ]
