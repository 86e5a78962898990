"""The startup script runs on a machine with a real OpenSSH server, and the real `ssh` logs in."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.policy.access.probe_script import INSTALLED_PROBE_SCRIPT, PROBE_SCRIPT, install_lines, probe_line
from bot.policy.access.startup_script import compacted, script_text
from tests.ssh_server import Machine, SshServer, new_key, public_line

Shell = tuple[str, ...]


class Team:
    """The keys of a team.

    The vendor installs Ana's laptop key. The startup script adds her desktop key, and Ben's RSA key.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.laptop = new_key(directory / "laptop")
        self.desk = new_key(directory / "desk")
        self.ben = new_key(directory / "ben", "ssh-rsa")
        self.stranger = new_key(directory / "stranger")
        self.bot = new_key(directory / "bot")

    @property
    def added(self) -> list[str]:
        return [public_line(key) for key in (self.desk, self.ben)]

    @property
    def probe(self) -> str:
        """Return the probe's line for authorized_keys."""
        return probe_line(public_line(self.bot))

    async def probe_answers(self, server: SshServer) -> bool:
        """Return whether the bot's key runs the probe, whatever command is requested."""
        status, output = await server.login(self.bot, "echo another command")
        return status == 0 and output.startswith("gpubot-probe 1\n") and "\nend\n" in output

    async def all_get_in(self, server: SshServer) -> bool:
        return all([await server.lets_in(key) for key in (self.laptop, self.desk, self.ben)])


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Return the team. All tests share it, because generating an RSA key takes a long time."""
    return Team(tmp_path_factory.mktemp("team") / "keys")


@pytest.fixture
def team(keys: Team, machine: Machine) -> Team:
    """Return the team, whose default key is on the machine in the way in which vendors install it."""
    machine.authorized_keys.parent.mkdir(mode=0o700)
    machine.authorized_keys.write_text(f"{public_line(keys.laptop)} ana@laptop\n")
    machine.authorized_keys.chmod(0o600)
    return keys


def setup_of(body: str) -> str:
    return f"#!/bin/sh\n{body}\n"


async def startup_script(machine: Machine, shell: Shell, script: str) -> None:
    """Write the script to a file and run it, as cloud-init does."""
    await machine.run(*shell, write_script(machine, script))


def write_script(machine: Machine, script: str) -> str:
    (machine.var_lib / "user-data").write_bytes(script.encode())
    return "/var/lib/user-data"


@asynccontextmanager
async def booting(machine: Machine, shell: Shell, team: Team, body: str) -> AsyncIterator[None]:
    """Run a startup script whose setup script hangs after `body`. The block begins once it hangs."""
    os.mkfifo(machine.var_lib / "hangs")
    script = script_text(team.added, setup_of(f"{body}\necho >/var/lib/hangs\nexec sleep 1000"), team.probe)
    async with machine.running(*shell, write_script(machine, script)):
        await asyncio.to_thread((machine.var_lib / "hangs").read_text)
        yield


async def until_written(machine: Machine, line: str) -> None:
    """Wait until a line is in authorized_keys, which takes some seconds. pytest-timeout ends an endless wait."""
    while line not in machine.authorized_keys.read_text().splitlines():  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.05)


def state(machine: Machine) -> str:
    return (machine.var_lib / "gpubot/setup.state").read_text().strip()


# --- keys


async def test_only_the_owners_and_teammates_keys_can_log_in(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    assert await server.lets_in(team.laptop)
    assert not await server.lets_in(team.desk)
    await startup_script(machine, shell, script_text(team.added))
    assert await team.all_get_in(server)
    assert not await server.lets_in(team.stranger)


async def test_a_second_run_adds_no_key_twice(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    with_comment = f"{team.added[0]} a comment of the vendor's"
    machine.authorized_keys.write_text(f"{public_line(team.laptop)}\n{with_comment}")
    for _ in range(2):
        await startup_script(machine, shell, script_text(team.added, setup_of("true")))
    lines = machine.authorized_keys.read_text().splitlines()
    assert lines == [public_line(team.laptop), with_comment, team.added[1]]
    assert await team.all_get_in(server)


async def test_keys_are_installed_on_a_machine_without_any_key(
    machine: Machine, server: SshServer, keys: Team, shell: Shell
) -> None:
    """Only root can read them."""
    await startup_script(machine, shell, script_text(keys.added))
    assert await server.lets_in(keys.desk)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (machine.root / ".ssh", machine.authorized_keys)]
    assert [oct(mode) for mode in modes] == ["0o700", "0o600"]


async def test_a_key_is_added_after_a_last_line_without_a_newline(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    machine.authorized_keys.write_text(machine.authorized_keys.read_text().strip())
    await startup_script(machine, shell, script_text(team.added))
    assert await team.all_get_in(server)


# --- the probe


async def test_the_bots_key_can_only_run_the_probe(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    """This still applies after the startup script has run a second time."""
    assert not await team.probe_answers(server)
    for _ in range(2):
        await startup_script(machine, shell, script_text([], None, team.probe))
        assert await team.probe_answers(server)
    assert machine.authorized_keys.read_text().splitlines()[1:] == [team.probe]
    assert {path.name: oct(path.stat().st_mode) for path in machine.sbin.iterdir()} == {
        "gpubot-probe": "0o100755",
        "gpubot-ending": "0o100755",
        "gpubot-jobs": "0o100755",
        "gpubot-health": "0o100755",
    }
    assert oct((machine.bin / "gpubot-run").stat().st_mode) == "0o100755"
    assert await server.lets_in(team.laptop)


async def test_a_newer_probe_replaces_an_older_one(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    (machine.sbin / "gpubot-probe").write_text("#!/bin/sh\necho older\n")
    await startup_script(machine, shell, script_text([], None, team.probe))
    assert await team.probe_answers(server)
    assert (machine.sbin / "gpubot-probe").read_text() == compacted(INSTALLED_PROBE_SCRIPT)


async def test_the_lines_that_owners_paste_install_the_probe_once(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    machine.authorized_keys.write_text(machine.authorized_keys.read_text().strip())
    script = write_script(machine, install_lines(team.probe))
    for _ in range(2):
        await machine.run("env", "HOME=/root", *shell, script)
    assert await team.probe_answers(server)
    assert (machine.sbin / "gpubot-probe").read_text() == PROBE_SCRIPT
    assert [line for line in machine.authorized_keys.read_text().splitlines()[1:] if line] == [team.probe]
    assert await server.lets_in(team.laptop)


async def test_the_lines_that_owners_paste_work_in_an_interactive_bash(server: SshServer, team: Team) -> None:
    pasted = f"bash --norc -i <<'PASTED'\n{install_lines(team.probe)}\nexit 23\nPASTED"
    status, _ = await server.login(team.laptop, pasted)
    assert status == 23
    assert await team.probe_answers(server)


# --- harmful setup scripts


@pytest.mark.parametrize(
    "body",
    [
        "exit 3",
        "false; kill -9 $PPID",
        "if true; then )",
        "printf 'ssh-ed25519 AAAA unfinished' >>/root/.ssh/authorized_keys",
        ": >/root/.ssh/authorized_keys",
        "echo 'ssh-ed25519 AAAA another' >/root/.ssh/authorized_keys",
        "head -n 1 /root/.ssh/authorized_keys >keys && mv keys /root/.ssh/authorized_keys",
        "rm -rf /root/.ssh",
        "chmod -R 777 /root/.ssh",
        "cat >/dev/null; umask 000; cd /; HOME=/nowhere; file=/etc/passwd",
    ],
)
async def test_a_setup_script_cannot_harm_the_keys(
    machine: Machine, server: SshServer, team: Team, shell: Shell, body: str
) -> None:
    """The setup script fails, or writes authorized_keys itself."""
    await startup_script(machine, shell, script_text(team.added, setup_of(body), team.probe))
    assert await team.all_get_in(server)
    assert await team.probe_answers(server)


async def test_keys_and_probe_are_installed_while_a_setup_script_hangs(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    async with booting(machine, shell, team, "true"):
        assert await team.all_get_in(server)
        assert await team.probe_answers(server)
        assert state(machine) == "running"


async def test_the_probe_is_restored_while_a_setup_script_hangs(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    """The setup script has kept only one key."""
    one_left = "head -n 1 /root/.ssh/authorized_keys >keys && mv keys /root/.ssh/authorized_keys"
    async with booting(machine, shell, team, one_left):
        await until_written(machine, team.probe)
        assert await team.probe_answers(server)


async def test_removed_keys_are_restored_while_the_setup_script_hangs(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    async with booting(machine, shell, team, ": >/root/.ssh/authorized_keys"):
        for key in team.added:
            await until_written(machine, key)
        assert await team.all_get_in(server)


# --- sections


async def test_setup_and_keys_work_if_the_probe_cannot_be_written(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    (machine.sbin / "gpubot-probe").mkdir()
    (machine.sbin / "gpubot-probe.new").mkdir()
    await startup_script(machine, shell, script_text(team.added, setup_of("true"), team.probe))
    assert await team.all_get_in(server)
    assert not await server.lets_in(team.bot)
    assert state(machine) == "done"


async def test_keys_are_installed_if_the_setup_script_cannot_be_written(
    machine: Machine, server: SshServer, team: Team, shell: Shell
) -> None:
    (machine.var_lib / "gpubot").write_text("a file in the place of the directory")
    await startup_script(machine, shell, script_text(team.added, setup_of("true")))
    assert await team.all_get_in(server)


async def test_the_setup_script_runs_if_the_keys_cannot_be_written(machine: Machine, shell: Shell) -> None:
    (machine.root / ".ssh").write_text("a file in the place of the directory")
    await startup_script(machine, shell, script_text(["ssh-ed25519 AAAA"], setup_of("true")))
    assert state(machine) == "done"


async def test_result_and_output_of_the_setup_script_are_stored(machine: Machine, shell: Shell) -> None:
    body = 'echo "$HOME $(pwd)"; read -r line || echo "no input"; echo trouble >&2; exit 7'
    await startup_script(machine, shell, script_text([], setup_of(body)))
    assert state(machine) == "failed 7"
    assert (machine.var_lib / "gpubot/setup.log").read_text() == "/root /root\nno input\ntrouble\n"


async def test_a_setup_script_runs_again_until_it_has_succeeded_once(machine: Machine, shell: Shell) -> None:
    body = "echo run >>/root/runs; [ -e /root/fixed ]"
    script = script_text([], setup_of(body))
    await startup_script(machine, shell, script)
    assert state(machine) == "failed 1"
    (machine.root / "fixed").touch()
    for _ in range(2):
        await startup_script(machine, shell, script)
    assert state(machine) == "done"
    assert (machine.root / "runs").read_text() == "run\n" * 2


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("#!/bin/bash\nset -e\necho one\nfalse\necho two\n", "failed 1 4"),
        ("#!/usr/bin/env bash\nset -euo pipefail\nget() {\n  true | nonesuch\n}\nget\n", "failed 127 4"),
        ("#!/bin/bash\nset -e\nif false; then exit; fi\nfalse || true\n(exit 3)\n", "failed 3 5"),
        ("#!/bin/bash\nset -e\nbash -ec $'\\n\\n\\nfalse'\n", "failed 1 3"),
        ("#!/bin/bash\n(set -e; false)\nfalse\nexit 3\n", "failed 3"),
        ("#!/bin/sh\nbash -ec $'\\nfalse'\nexit 3\n", "failed 3"),
        ("#!/bin/sh\nset -e\nfalse\n", "failed 1"),
        ("#!/usr/bin/awk -f\nBEGIN { exit 4 }\n", "failed 4"),
    ],
)
async def test_the_line_at_which_set_e_ends_a_bash_setup_is_recorded(
    machine: Machine, shell: Shell, text: str, failed: str
) -> None:
    await startup_script(machine, shell, script_text([], text))
    assert state(machine) == failed


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            st.sampled_from(
                ["END_OF_SETUP", "END_OF_SETUP_", "END_OF_KEYS", "END", "$(id)", "`id`", "\\", "'", ")"]
            ),
        )
    )
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_setup_script_arrives_unchanged(machine: Machine, shell: Shell, lines: list[str]) -> None:
    text = setup_of("\n".join(["exit 0", *lines]))
    await startup_script(machine, shell, script_text([], text))
    assert (machine.var_lib / "gpubot/setup").read_bytes() == text.encode()
    (machine.var_lib / "gpubot/setup.state").unlink()
