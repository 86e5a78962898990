"""docs/agents.md: its tables name what the command line has, and its scripts can be run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from agent.commands import INTERRUPTED, Exit, commands
from tests.programs import program
from tests.ssh_server import run

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
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


def test_the_workflow_always_releases_the_machine_that_it_named() -> None:
    assert WORKFLOW["jobs"]["eval"]["env"]["KEY"] == "${{ github.run_id }}-${{ github.run_attempt }}"
    assert STEPS[-1]["if"] == "always()"
    assert STEPS[-1]["run"] == 'gpubot agent release --key "$KEY"'
