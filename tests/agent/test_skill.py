"""docs/skill/SKILL.md: it keeps to the format of agent skills, and an agent can run all of its commands.

Source of the format: https://agentskills.io/specification.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import asyncssh
import pytest
import yaml
from typer.main import get_command

from agent.commands import INTERRUPTED, Exit, commands
from bot.model.api import Offer, ProgramState, Rental, Ssh
from tests.agent.api import Api
from tests.agent.conftest import Cli
from tests.programs import program
from tests.ssh_server import Machine, SshServer, new_key, new_machine, public_line, run, ssh_server

ROOT = Path(__file__).parents[2]
SKILL = (ROOT / "docs" / "skill" / "SKILL.md").read_text(encoding="utf-8")
_, FRONT, BODY = SKILL.split("---\n", 2)
CONNECT, START_WORK = re.findall(r"```bash\n(.*?)```", BODY, re.DOTALL)
LINES = [line.strip() for line in re.findall(r"^    (.+)$", BODY, re.MULTILINE)]
TYPED = [*LINES, *re.findall(r"`(gpubot agent [^`]+)`", BODY)]
COMMANDS = [shlex.split(line)[2:] for line in TYPED if line.startswith("gpubot agent ")]
KEY = "eval-run-12"


def test_the_front_matter_keeps_to_the_limits_of_the_format() -> None:
    front = yaml.safe_load(FRONT)
    assert front.keys() == {"name", "description", "license", "compatibility"}
    assert front["name"] == "gpubot"
    assert len(front["description"]) <= 1024
    assert len(front["compatibility"]) <= 500


def test_the_skill_has_120_lines_at_most_and_links_to_no_other_file() -> None:
    assert len(SKILL.splitlines()) <= 120
    assert "](" not in SKILL, "only this file is installed"
    assert SKILL.isascii(), "a terminal or pipe may not take other characters"


async def test_the_command_prints_the_skill_without_settings(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUBOT_API_URL", raising=False)
    monkeypatch.delenv("GPUBOT_TOKEN", raising=False)
    assert await cli("skill") == (0, SKILL, "")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
async def test_every_command_of_the_skill_can_be_run(
    arguments: list[str], api: Api, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "gpubot.pub").write_text("ssh-ed25519 AAAA agent@laptop\n")
    api.known_key = KEY
    done = await cli(*(argument.replace("~", str(tmp_path)) for argument in arguments))
    assert done.status == 0, done.err


def test_the_skill_uses_every_command_but_the_one_that_prints_it() -> None:
    known: set[str] = set(get_command(commands).commands)  # type: ignore[attr-defined]  # it is a group
    assert {arguments[0] for arguments in COMMANDS} == known - {"skill"}


def test_every_command_about_a_machine_names_the_key_of_the_rent_command() -> None:
    about = [
        arguments for arguments in COMMANDS if arguments[0] in {"rent", "show", "extend", "heartbeat", "release"}
    ]
    named = [arguments for arguments in about if "--help" not in arguments]
    assert len(named) == 5
    assert all(arguments[arguments.index("--key") + 1] == KEY for arguments in named)


def test_the_skill_says_what_each_exit_status_and_state_means() -> None:
    statuses = re.findall(r"^\| (\d+) \|", BODY, re.MULTILINE)
    assert list(map(int, statuses)) == [*Exit, INTERRUPTED]
    named = set(re.findall(r"`([a-z_]+)`", BODY))
    underway = {ProgramState.SEARCHING, ProgramState.BUYING, ProgramState.STARTING, ProgramState.ENDING}
    assert set(ProgramState) - underway <= named


def test_every_field_of_an_answer_that_the_skill_names_exists() -> None:
    fields = set(re.findall(r"`(ssh\.\w+|[a-z]+_\w+)`", BODY)) - {*ProgramState, "known_hosts", "gpu_rent"}
    known = {*Rental.model_fields, *Offer.model_fields, *(f"ssh.{name}" for name in Ssh.model_fields)}
    assert len(fields) >= 5
    assert fields - known == set()


@pytest.mark.parametrize("block", [CONNECT, START_WORK])
async def test_shellcheck_finds_nothing_in_the_blocks(block: str, tmp_path: Path) -> None:
    file = tmp_path / "block.sh"
    file.write_text(f"#!/bin/bash\n{block}")
    assert await run(program("shellcheck"), "--shell=bash", str(file)) == (0, "")


async def run_block(block: str, server: SshServer, folder: Path, fingerprint: str) -> tuple[int, str]:
    """Run a block of the skill in this folder, which contains the private key `key`."""
    names = {"~/.ssh/gpubot": "key", "HOST": "127.0.0.1", "PORT": str(server.port), "FINGERPRINT": fingerprint}
    for name, value in names.items():
        block = block.replace(name, value)
    return await run(program("bash"), "-c", f"cd {shlex.quote(str(folder))} || exit\n{block}")


async def a_machine(folder: Path) -> tuple[Machine, str]:
    """Return a machine that the private key `key` in this folder can log in to, and its fingerprint."""
    machine = await new_machine(folder / "machine")
    machine.authorized_keys.parent.mkdir(mode=0o700)
    machine.authorized_keys.write_text(f"{public_line(new_key(folder / 'key'))}\n")
    return machine, asyncssh.read_private_key(machine.host_key).get_fingerprint()


async def test_an_agent_logs_in_to_its_machine_and_to_no_other_host(tmp_path: Path) -> None:
    machine, fingerprint = await a_machine(tmp_path)
    machine.install("nvidia-smi", "#!/bin/sh\necho 8 GPUs\n")
    async with ssh_server(machine) as server:
        assert await run_block(CONNECT, server, tmp_path, fingerprint) == (0, "8 GPUs\n")
        machine.host_key = new_key(tmp_path / "another")
        status, said = await run_block(CONNECT, server, tmp_path, fingerprint)
    assert status == 255
    assert "8 GPUs" not in said
    assert (tmp_path / "known_hosts").read_text() == ""


async def test_work_that_an_agent_starts_goes_on_after_its_connection(tmp_path: Path) -> None:
    machine, fingerprint = await a_machine(tmp_path)
    machine.install("nvidia-smi", "#!/bin/sh\n")
    machine.install("gpubot-run", '#!/bin/sh\nread -r _ <go && echo "$@" >done\n')
    os.mkfifo(machine.root / "go")
    os.mkfifo(machine.root / "done")
    async with machine.up(), ssh_server(machine) as server:
        await run_block(CONNECT, server, tmp_path, fingerprint)
        assert await run_block(START_WORK, server, tmp_path, fingerprint) == (0, "")
        assert await machine.run("sh", "-c", "echo >/root/go && cat /root/done") == (0, "python train.py\n")
