"""A machine with a real OpenSSH server starts its owner's /root/on-ending.sh before its end."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.model.machine_use import EndToTell, OnEnding, OnEndingRefused, OnEndingState
from bot.policy.access.probe_script import (
    ENDING_PATH,
    ENDING_SCRIPT,
    PROBE_SCRIPT,
    SCRIPT_PATH,
    install_lines,
    probe_line,
)
from bot.policy.access.startup_script import compacted, script_text
from bot.probe.key import ProbeKey, new_probe_key
from bot.probe.prober import SshProber
from tests.programs import program
from tests.ssh_server import Machine, SshServer, run

END = datetime(2026, 11, 28, 18, 40, tzinfo=UTC)
LATER = END + timedelta(hours=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NONE, THERE = OnEnding(state=OnEndingState.NONE), OnEnding(state=OnEndingState.THERE)
RUNS = "echo run >>/root/runs"
WAITS = f"{RUNS}; read -r _ </root/go"
NOBODY = 65534


class Ending:
    """A machine that has run the startup script and stays up, and the bot that probes it."""

    def __init__(self, machine: Machine, server: SshServer) -> None:
        self.machine = machine
        self.server = server
        self.key: ProbeKey = new_probe_key()
        self.script = machine.root / "on-ending.sh"

    async def startup_script(self) -> None:
        user_data = self.machine.var_lib / "user-data"
        user_data.write_text(script_text([], None, probe_line(self.key.public_line)))
        assert await self.machine.run("sh", "/var/lib/user-data") == (0, "")

    def put(self, body: str, mode: int = 0o755) -> None:
        """Install an on-ending.sh, as the owner does."""
        self.script.unlink(missing_ok=True)
        self.script.write_text(f"#!/bin/sh\n{body}\n")
        self.script.chmod(mode)

    async def run_probe(self, end: datetime | None = None, left: timedelta = 15 * MINUTE) -> OnEnding | None:
        """Run the probe with this end, or none, and return its report about on-ending.sh."""
        told = None if end is None else EndToTell(end=end, left=left)
        run_probe = await SshProber(self.key).run_probe("127.0.0.1", self.server.port, None, None, told)
        assert run_probe.report is not None
        return run_probe.report.on_ending

    async def ended(self, end: datetime) -> OnEnding:
        """Keep probing until no on-ending.sh is running, and return the report.

        pytest-timeout ends an endless wait.
        """
        while (found := await self.run_probe()) is None or found.state is OnEndingState.RUNNING:
            assert found == running(end)
        return found

    async def go_on(self) -> None:
        """Let an on-ending.sh that WAITS continue."""
        await asyncio.to_thread((self.machine.root / "go").write_text, "\n")

    @property
    def runs(self) -> int:
        """Return the number of times that an on-ending.sh was started."""
        runs = self.machine.root / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0

    async def file(self, path: str) -> str:
        """Return the mode and the text of a file on the machine, or an empty text if there is no such file."""
        status, found = await self.machine.run("sh", "-c", f"stat -c %a {path} && cat {path}")
        return "" if status else found


@pytest.fixture
async def ending(machine: Machine, server: SshServer) -> AsyncIterator[Ending]:
    async with machine.up():
        os.mkfifo(machine.root / "go")
        ending = Ending(machine, server)
        await ending.startup_script()
        yield ending


def running(end: datetime) -> OnEnding:
    return OnEnding(state=OnEndingState.RUNNING, end=end)


def done(end: datetime) -> OnEnding:
    return OnEnding(state=OnEndingState.DONE, end=end)


def failed(end: datetime, status: int) -> OnEnding:
    return OnEnding(state=OnEndingState.FAILED, end=end, status=status)


def refused(why: OnEndingRefused) -> OnEnding:
    return OnEnding(state=OnEndingState.REFUSED, why=why)


# --- when it is started


def with_busybox(machine: Machine) -> None:
    """Run the script in BusyBox, without the usual commands."""
    busybox = program("busybox")
    machine.install("gpubot-ending", ENDING_SCRIPT.replace("#!/bin/sh", f"#!{busybox} sh", 1))
    for applet in ("sh", "ls", "grep", "mkdir", "mv", "rm"):
        (machine.sbin / applet).symlink_to(busybox)


@pytest.mark.parametrize("shell", ["dash", "busybox"])
async def test_it_is_started_once_15_minutes_before_each_end(ending: Ending, shell: str) -> None:
    """The script outlives the probe run that started it."""
    if shell == "busybox":
        with_busybox(ending.machine)
    assert await ending.run_probe() == NONE
    ending.put(f"{WAITS}; cat /run/gpubot/ends-at; pwd; echo trouble >&2")
    assert await ending.run_probe() == THERE
    assert await ending.file("/run/gpubot/ends-at") == ""

    assert await ending.run_probe(END, 15 * MINUTE + timedelta(seconds=1)) == THERE
    assert await ending.file("/run/gpubot/ends-at") == f"644\n{END.timestamp():.0f}\n"
    assert ending.runs == 0

    assert await ending.run_probe(END) == running(END)
    assert await ending.run_probe(END, timedelta(0)) == running(END)
    assert await ending.run_probe() == running(END)
    await ending.go_on()
    assert await ending.ended(END) == done(END)
    assert await ending.run_probe(END, MINUTE) == done(END)
    assert ending.runs == 1
    log = await ending.file("/var/lib/gpubot/on-ending.log")
    assert log == f"600\n{END.timestamp():.0f}\n/root\ntrouble\n"

    # After an extension, the script is started again, even if the earlier end is sent once more.
    ending.put(RUNS)
    assert await ending.run_probe(LATER, HOUR) == THERE
    assert await ending.run_probe(LATER) in {running(LATER), done(LATER)}
    assert await ending.ended(LATER) == done(LATER)
    assert await ending.run_probe(END) == done(END)
    assert ending.runs == 2


async def test_a_hanging_script_prevents_another_run_until_it_is_killed(ending: Ending) -> None:
    ending.put(f"{RUNS}; exec sleep 1000")
    assert await ending.run_probe(END) == running(END)
    assert await ending.run_probe(LATER) == running(END)
    assert ending.runs == 1
    assert await ending.machine.run("pkill", "-f", "sleep 1000$") == (0, "")
    ending.put(f"{RUNS}; exit 3")
    await ending.ended(END)
    assert await ending.run_probe(LATER) in {running(LATER), failed(LATER, 3)}
    assert await ending.ended(LATER) == failed(LATER, 3)
    assert await ending.run_probe(END) == failed(END, 128 + 15)
    assert ending.runs == 2


async def test_it_is_started_for_the_next_end_after_it_was_killed(ending: Ending) -> None:
    ending.put(f"{RUNS}; exec sleep 1000")
    assert await ending.run_probe(END) == running(END)
    assert await ending.machine.run("pkill", "-KILL", "-f", "gpubot-ending|sleep 1000$") == (0, "")
    assert await ending.run_probe(END) == failed(END, 128 + 9)
    assert await ending.run_probe(LATER) == running(LATER)
    assert ending.runs == 2


async def test_only_one_of_many_concurrent_probe_runs_starts_it(ending: Ending) -> None:
    ending.put(WAITS)
    ends = [END, END, END, LATER, LATER + HOUR]
    seen = await asyncio.gather(*(ending.run_probe(end) for end in ends))
    assert ending.runs == 1
    assert len({found for found in seen if found is not None and found.state is OnEndingState.RUNNING}) == 1


@pytest.mark.parametrize("seconds", [1, 1_000_000_000, 9_999_999_999])
async def test_the_clock_of_the_machine_does_not_matter(ending: Ending, seconds: int) -> None:
    ending.put(RUNS)
    end = datetime.fromtimestamp(seconds, UTC)
    assert await ending.run_probe(end, 15 * MINUTE + timedelta(seconds=1)) == THERE
    await ending.run_probe(end, 15 * MINUTE)
    assert await ending.ended(end) == done(end)


# --- what is started


def _symlink(script: Path) -> None:
    script.rename(script.with_name("elsewhere.sh"))
    script.symlink_to("/root/elsewhere.sh")


def _folder(script: Path) -> None:
    script.unlink()
    script.mkdir()


def _fifo(script: Path) -> None:
    script.unlink()
    os.mkfifo(script, 0o755)


WRONG = {
    "a symbolic link": (_symlink, OnEndingRefused.NO_FILE),
    "a folder": (_folder, OnEndingRefused.NO_FILE),
    "a pipe": (_fifo, OnEndingRefused.NO_FILE),
    "not executable": (lambda script: script.chmod(0o644), OnEndingRefused.NOT_EXECUTABLE),
    "of another owner": (lambda script: os.chown(script, NOBODY, 0), OnEndingRefused.OWNER),
    "writable by its group": (lambda script: script.chmod(0o775), OnEndingRefused.WRITABLE),
    "writable by all": (lambda script: script.chmod(0o757), OnEndingRefused.WRITABLE),
    "in a folder that others can write to": (lambda script: script.parent.chmod(0o777), OnEndingRefused.WRITABLE),
    "in the folder of another owner": (lambda script: os.chown(script.parent, NOBODY, 0), OnEndingRefused.OWNER),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_file_that_others_could_have_put_there_is_refused(ending: Ending, name: str) -> None:
    """This applies even if the file was there before."""
    make_wrong, why = WRONG[name]
    ending.put(RUNS)
    assert await ending.run_probe(END, HOUR) == THERE
    make_wrong(ending.script)
    # sshd ignores keys in a folder that belongs to another user, so also call the script directly.
    command = f"{SCRIPT_PATH} {END.timestamp():.0f} 600"
    _, said = await ending.machine.run(ENDING_PATH, SSH_ORIGINAL_COMMAND=command)
    assert said == f"on-ending refused {why}\n"
    if "in " not in name:
        assert await ending.run_probe(END) == refused(why)
    assert ending.runs == 0
    os.chown(ending.machine.root, 0, 0)
    ending.machine.root.chmod(0o700)
    if ending.script.is_dir():
        ending.script.rmdir()
    ending.put(RUNS)
    await ending.run_probe(END)
    assert await ending.ended(END) == done(END)
    assert ending.runs == 1


async def test_a_file_that_cannot_be_run_has_failed(ending: Ending) -> None:
    ending.put("")
    ending.script.write_text("#!/no/such/interpreter\n")
    assert await ending.run_probe(END) in {running(END), failed(END, 127)}
    assert await ending.ended(END) == failed(END, 127)


# --- commands that the probe's key can run

TELLS = f"{SCRIPT_PATH} 1795887600 600"


@example(f"{TELLS} ")
@example(f" {TELLS}")
@example(f"{TELLS}\n")
@example(f"{TELLS}\nid")
@example(f"{TELLS};id")
@example(f"{SCRIPT_PATH}  1795887600 600")
@example(f"{SCRIPT_PATH} 1795887600  600")
@example(f"{SCRIPT_PATH} 1795887600\t600")
@example(f"{SCRIPT_PATH} 1795887600")
@example(f"{SCRIPT_PATH} 1795887600 ")
@example(f"{SCRIPT_PATH} 1795887600 600 1")
@example(f"{SCRIPT_PATH} 5 6 7")
@example("1795887600 600")
@example(f"{SCRIPT_PATH} 01795887600 600")
@example(f"{SCRIPT_PATH} 0179588760 600")
@example(f"{SCRIPT_PATH} 1795887600 0600")
@example(f"{SCRIPT_PATH} 1795887600 00")
@example(f"{SCRIPT_PATH} 11795887600 600")
@example(f"{SCRIPT_PATH} 1795887600 00000600")
@example(f"{SCRIPT_PATH} 1795887600 10000000")
@example(f"{SCRIPT_PATH} 0 600")
@example(f"{SCRIPT_PATH} -1 600")
@example(f"{SCRIPT_PATH} 1795887600 -600")
@example(f"{SCRIPT_PATH} 1795887600 +600")
@example(f"{SCRIPT_PATH} 1795887600 0x10")
@example(f"{SCRIPT_PATH} 1795887600 6.0")
@example(f"{SCRIPT_PATH} ١٧٩٥ ٦٠٠")
@example(f"{SCRIPT_PATH} $(id>/root/runs) 600")
@example(f"{SCRIPT_PATH} `id>/root/runs` 600")
@example(f"{SCRIPT_PATH} * ?")
@example(f"{SCRIPT_PATH} a[$(id>/root/runs)] 1")
@example(f"{SCRIPT_PATH} {SCRIPT_PATH} 1795887600 600")
@example(f"sh {TELLS}")
@example("/usr/local/sbin/gpubot-ending start 1795887600")
@example("/usr/local/sbin/gpubot-probE 1795887600 600")
@example("")
@given(
    st.one_of(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
        st.from_regex(r"\A/usr/local/sbin/gpubot-probe[ 0-9;$(){}|&\n\t*?'\"`\\-]{0,25}\Z"),
        st.tuples(
            st.just(TELLS), st.integers(0, len(TELLS)), st.characters(codec="ascii", exclude_characters="\0")
        ).map(lambda made: made[0][: made[1]] + made[2] + made[0][made[1] :]),
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_command_that_does_not_match_the_pattern_runs_nothing(ending: Ending, command: str) -> None:
    if _matches(command):
        return
    ending.put(RUNS)
    told_nothing = f"{ENDING_PATH} && ! test -e /run/gpubot/ends-at"
    asked = await ending.machine.run("sh", "-c", told_nothing, SSH_ORIGINAL_COMMAND=command)
    assert asked == (0, "on-ending there\n")
    assert ending.runs == 0


def _matches(command: str) -> bool:
    """Return whether a command is `PATH END LEFT`, as described in docs/probe.md.

    No regular expression is used, so that this check is independent of the script's.
    """
    words = command.split(" ")
    digits = [set(word) <= set("0123456789") and word != "" for word in words]
    return (
        len(words) == 3
        and words[0] == SCRIPT_PATH
        and all(digits[1:])
        and len(words[1]) <= 10
        and len(words[2]) <= 7
        and not words[1].startswith("0")
        and (words[2] == "0" or not words[2].startswith("0"))
    )


async def test_other_commands_over_ssh_get_only_the_report(ending: Ending, tmp_path: Path) -> None:
    ending.put(RUNS)
    key = tmp_path / "stolen"
    key.touch(mode=0o600)
    ending.key.private.write_private_key(str(key))
    for command in (f"{TELLS}; {RUNS}", f"{ENDING_PATH} start 1", "sh -c 'echo run >>/root/runs'", "1 1"):
        status, printed = await ending.server.login(key, command)
        assert (status, printed.splitlines()[:2]) == (0, ["gpubot-probe 1", "on-ending there"]), command
    assert ending.runs == 0
    # Someone who has the key can send a false end, which starts the owner's script. docs/probe.md says so.
    status, printed = await ending.server.login(key, f"{SCRIPT_PATH} 1 0")
    assert status == 0
    assert await ending.ended(datetime.fromtimestamp(1, UTC)) == done(datetime.fromtimestamp(1, UTC))


# --- machines without the on-ending part


@pytest.mark.parametrize("probe", ["pasted by hand", "of an older version"])
async def test_a_machine_without_the_on_ending_part_is_probed_as_before(
    machine: Machine, server: SshServer, probe: str
) -> None:
    ending = Ending(machine, server)
    lines = install_lines(probe_line(ending.key.public_line))
    if probe == "of an older version":
        older = PROBE_SCRIPT.replace(f"{ENDING_PATH} 2>/dev/null\n", "")
        assert older != PROBE_SCRIPT
        lines = lines.replace(PROBE_SCRIPT.removesuffix("\n"), older.removesuffix("\n"))
    (machine.var_lib / "lines").write_text(lines)
    assert await machine.run("env", "HOME=/root", "sh", "/var/lib/lines") == (0, "")
    ending.put(RUNS)
    assert await ending.run_probe() is None
    assert await ending.run_probe(END) is None
    assert ending.runs == 0


# --- the script itself


async def test_the_script_is_small_and_clean_and_everyone_can_read_it(ending: Ending, tmp_path: Path) -> None:
    installed = ending.machine.sbin / "gpubot-ending"
    assert installed.read_text() == compacted(ENDING_SCRIPT)
    assert stat.S_IMODE(installed.stat().st_mode) == 0o755
    assert max(len(line) for line in ENDING_SCRIPT.splitlines()) <= 115
    file = tmp_path / "ending.sh"
    file.write_text(ENDING_SCRIPT)
    for shell in ("dash", "busybox"):
        assert await run(program("shellcheck"), f"--shell={shell}", str(file)) == (0, "")
