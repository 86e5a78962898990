"""The sandbox's programs: the ready line, the shared clock, and shutting down."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

PATIENCE = 30


async def started(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    return process, json.loads(line or "{}")


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Wait until a program has ended, and return its exit status and standard error."""
    _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, errors.decode()


async def test_both_parts_share_one_clock_and_end_with_their_parent() -> None:
    process, ready = await started("sandbox", "--with-parent", "--at", "2026-11-24T12:00:00Z", "--speed", "0")
    assert set(ready) == {
        "compute",
        "slack",
        "api",
        "github",
        "clock",
        "bot_token",
        "app_token",
        "signing_secret",
        "compute_token",
        "page",
    }
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        await client.post(f"{ready['slack']}/_control/clock", json={"jump": 60})
        clock = (await client.get(f"{ready['clock']}/_control/clock")).json()
        assert clock == {"now": "2026-11-24T12:01:00.000000Z", "speed": 0.0, "revision": 1}
        waiting = asyncio.create_task(client.get(f"{ready['clock']}/_control/clock?after=1"))
        gpus = await client.get(
            f"{ready['compute']}/available_gpus",
            headers={"Authorization": f"Bearer {ready['compute_token']}"},
        )
        assert gpus.status_code == 200
        me = await client.post(
            f"{ready['api']}auth.test", headers={"Authorization": f"Bearer {ready['bot_token']}"}
        )
        assert me.json()["ok"] is True
        assert process.stdin is not None
        process.stdin.close()
        assert await ended(process) == (0, "")
        with pytest.raises(httpx.TransportError):
            await waiting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_program_with_status_0(number: signal.Signals) -> None:
    process, ready = await started("sandbox.compute", "--port", "0")
    assert set(ready) == {"compute", "clock", "compute_token"}
    process.send_signal(number)
    assert await ended(process) == (0, "")


async def test_without_with_parent_the_end_of_input_is_ignored() -> None:
    process, ready = await started("sandbox.compute", "--port", "0")
    assert process.stdin is not None
    process.stdin.close()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{ready['clock']}/_control/clock")).status_code == 200
    process.terminate()
    assert (await ended(process))[0] == 0


async def test_the_workspace_alone_can_end_with_its_parent_too() -> None:
    process, ready = await started("sandbox.slack", "--port", "0", "--with-parent")
    assert set(ready) == {"slack", "api", "clock", "bot_token", "app_token", "signing_secret"}
    assert process.stdin is not None
    process.stdin.close()
    assert await ended(process) == (0, "")


@pytest.mark.parametrize(
    ("program", "option"),
    [("sandbox.compute", "--port"), ("sandbox.slack", "--port"), ("sandbox", "--slack-port")],
)
async def test_a_port_in_use_is_reported_in_one_line(program: str, option: str) -> None:
    process, ready = await started("sandbox.compute", "--port", "0")
    port = ready["compute"].rpartition(":")[2]
    second, nothing = await started(program, option, port)
    assert nothing == {}
    assert await ended(second) == (1, f"Port {port} is taken. {option} 0 takes a free one.\n")
    process.terminate()
    await ended(process)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sandbox.compute", "--bogus"), "unrecognized arguments: --bogus"),
        (("sandbox.compute", "--port", "70000"), "argument --port: a port is a number from 0 to 65535"),
        (("sandbox.slack", "--port", "x"), "argument --port: a port is a number from 0 to 65535"),
        (("sandbox", "--compute-port", "-1"), "argument --compute-port: a port is a number from 0 to 65535"),
        (("sandbox", "--pace", "nan"), "argument --pace: a pace is a number, 0 or more"),
        (("sandbox.slack", "--pace", "-1"), "argument --pace: a pace is a number, 0 or more"),
        (("sandbox.compute", "--speed", "-3"), "argument --speed: speed must be from 0 to 1000000"),
        (
            ("sandbox.slack", "--at", "noon"),
            "argument --at: a time is ISO 8601 with a zone, as 2026-11-24T12:00:00Z",
        ),
        (("sandbox", "--at", "2026-11-24T12:00"), "argument --at: a time is ISO 8601 with a zone"),
        (
            ("sandbox", "--manifest", "/nowhere.yml"),
            "argument --manifest: /nowhere.yml: No such file or directory",
        ),
        (("sandbox.slack", "--manifest", "/"), "argument --manifest: /: Is a directory"),
    ],
)
async def test_an_invalid_option_is_reported_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    process, nothing = await started(*arguments)
    assert nothing == {}
    status, errors = await ended(process)
    assert status == 2
    assert errors.startswith(f"python -m {arguments[0]}: {message}")
    assert errors.endswith("--help shows the options.\n")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("display_information: [", "no YAML, line 1"),
        ("only a text", "not shaped as a manifest is"),
        ("features: {slash_commands: [{description: nameless}]}", "not shaped as a manifest is"),
    ],
)
async def test_an_invalid_manifest_is_reported_in_one_line(tmp_path: Path, written: str, message: str) -> None:
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(written)
    process, nothing = await started("sandbox", "--manifest", str(manifest))
    assert nothing == {}
    assert await ended(process) == (
        2,
        f"python -m sandbox: argument --manifest: {manifest}: {message}. --help shows the options.\n",
    )
