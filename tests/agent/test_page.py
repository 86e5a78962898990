"""docs/agents.md: its tables list the commands and statuses that exist, and its scripts can be run."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from agent.commands import INTERRUPTED, Exit, commands
from tests.agent.api import ID, Api
from tests.programs import program
from tests.ssh_server import run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
COMMANDS: dict[str, Any] = get_command(commands).commands  # type: ignore[attr-defined]  # it is a group
WORKFLOW = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
STEPS = WORKFLOW["jobs"]["eval"]["steps"]
SCRIPTS = {
    "script": re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)[0],
    **{step["name"]: "#!/bin/bash\n" + step["run"] for step in STEPS if "name" in step},
}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_lists_every_exit_status_and_every_command() -> None:
    statuses = re.findall(r"^\| (\d+) \|", section("Exit statuses"), re.MULTILINE)
    assert sorted(map(int, statuses)) == [*Exit, INTERRUPTED]
    listed = re.findall(r"^\| `(\w+)[^`]*` \|", section("Commands"), re.MULTILINE)
    assert listed == list(COMMANDS)


def test_every_option_on_the_page_exists() -> None:
    known = {name: {opt for each in command.params for opt in each.opts} for name, command in COMMANDS.items()}
    text = PAGE.replace("\\\n", "")
    used = re.findall(r"gpubot agent (\w+)([^\n`|&]*)", text) + re.findall(
        r"^\| `(\w+)([^`]*)`", text, re.MULTILINE
    )
    unknown = [
        (name, option)
        for name, rest in used
        if name in known
        for option in re.findall(r"(?<!\S)--[a-z][\w-]*", rest.split(" -- ")[0])
        if option not in known[name] | {"--help"}
    ]
    assert unknown == []
    assert len(used) > 15


@pytest.mark.parametrize("name", SCRIPTS)
async def test_shellcheck_finds_nothing_in_the_scripts(name: str, tmp_path: Path) -> None:
    file = tmp_path / "script.sh"
    file.write_text(SCRIPTS[name])
    assert await run(program("shellcheck"), "--shell=bash", str(file)) == (0, "")


STUBS = {
    "gpubot": f'exec {sys.executable} -m bot "$@"',
    "ssh": "echo '{\"loss\": 0.1}'",
    "scp": 'echo "$@" >copied',
    "ssh-keyscan": "echo '[203.0.113.7]:34811 ssh-ed25519 AAAA'; echo '[203.0.113.7]:34811 ssh-rsa BBBB'",
    "ssh-keygen": "grep -q AAAA && echo '256 SHA256:Vx1abc (ED25519)' || echo '3072 SHA256:other (RSA)'",
}
"""Programs that stand in for those that the script calls: a shell command for each name."""


async def test_the_script_trains_fetches_the_result_and_releases_its_machine(api: Api, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in STUBS.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA ana@laptop\n")
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT)
    api.known_key = None
    program("jq")
    process = await asyncio.create_subprocess_exec(
        *(program("bash"), "-c", SCRIPTS["script"]),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert (process.returncode, (tmp_path / "result.json").read_text()) == (0, '{"loss": 0.1}\n'), output.decode()
    assert (tmp_path / "copied").read_text().endswith("-P 34811 train.py root@203.0.113.7:\n")
    assert (tmp_path / "known_hosts").read_text() == "[203.0.113.7]:34811 ssh-ed25519 AAAA\n"
    (request,) = api.rented.values()
    assert (request.words, request.heartbeat, request.ssh_public_key) == (
        "H100 EU for 4h",
        True,
        "ssh-ed25519 AAAA ana@laptop",
    )
    assert f"POST /v1/rentals/{ID}/heartbeat" in api.calls
    assert api.calls.count(f"DELETE /v1/rentals/{ID}") == 2


def test_the_workflow_always_releases_the_machine_that_it_named() -> None:
    assert WORKFLOW["jobs"]["eval"]["env"]["KEY"] == "${{ github.run_id }}-${{ github.run_attempt }}"
    assert STEPS[-1]["if"] == "always()"
    assert STEPS[-1]["run"] == 'gpubot agent release --key "$KEY"'
