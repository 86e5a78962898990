"""The sandbox as programs: the ready line, one clock, and a clean end each way."""

import asyncio
import json
import signal
import sys
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
    """The exit status and what was complained of."""
    _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, errors.decode()


async def test_both_parts_share_one_clock_and_end_when_the_parent_does() -> None:
    process, ready = await started("sandbox", "--with-parent", "--at", "2026-11-24T12:00:00Z", "--speed", "0")
    assert set(ready) == {
        "compute",
        "slack",
        "api",
        "clock",
        "bot_token",
        "app_token",
        "compute_token",
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
async def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    process, ready = await started("sandbox.compute", "--port", "0")
    assert set(ready) == {"compute", "clock", "compute_token"}
    process.send_signal(number)
    assert await ended(process) == (0, "")


async def test_without_a_parent_to_follow_a_closed_input_ends_nothing() -> None:
    process, ready = await started("sandbox.compute", "--port", "0")
    assert process.stdin is not None
    process.stdin.close()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{ready['clock']}/_control/clock")).status_code == 200
    process.terminate()
    assert (await ended(process))[0] == 0


async def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    process, ready = await started("sandbox.compute", "--port", "0")
    port = ready["compute"].rpartition(":")[2]
    second, nothing = await started("sandbox.compute", "--port", port)
    assert nothing == {}
    status, errors = await ended(second)
    assert status == 1
    assert errors.startswith("The sandbox can't listen: ")
    assert len(errors.splitlines()) == 1
    process.terminate()
    await ended(process)
