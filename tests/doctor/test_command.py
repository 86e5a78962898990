"""`gpubot doctor` as a process: its exit status, and that it prints no secrets."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sandbox.slack.default import CLEO
from tests.doctor.conftest import Installation

TIMEOUT = 60


async def doctor(folder: Path) -> tuple[int | None, str, str]:
    """Run `gpubot doctor` as a process, and return its status, standard output and standard error."""
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


async def test_the_command_ends_with_status_0_if_all_is_well(installation: Installation) -> None:
    installation.env.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    status, out, errors = await doctor(installation.folder)
    assert (status, errors) == (0, "")
    lines = out.splitlines()
    assert f"ok      admin {CLEO}: Cleo." in lines
    assert lines[-1] == "Everything is ok. Next: gpubot run"


async def test_the_command_ends_with_status_1_and_prints_no_secret(installation: Installation) -> None:
    installation.env.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    await installation.workspace("POST", "tokens", bot="revoked")
    await installation.market("token", valid=False)
    status, out, errors = await doctor(installation.folder)
    assert (status, errors) == (1, "")
    assert "not ok  Slack bot token: Slack refuses it (token_revoked)." in out
    assert "not ok  Compute Clear token: refused." in out
    assert out.splitlines()[-1] == "Fix what is not ok, then run this again: gpubot doctor"
    for secret in (installation.slack.bot_token, installation.slack.app_token, installation.compute.token):
        assert secret not in out + errors
