"""Commands that run with heartbeats: the signals that they get, and what happens to their machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from pathlib import Path

import pytest

from agent.beating import EVERY, run
from agent.client import Client, Which
from agent.screen import Screen
from agent.settings import read_settings
from bot.errors import GpubotError
from bot.model.api import ProgramState
from tests.agent.api import ID, KEY, Api, a_rental, status
from tests.agent.conftest import QuickClock

BEAT, RELEASE = f"POST /v1/rentals/{ID}/heartbeat", f"DELETE /v1/rentals/{ID}"
ENDING = a_rental(ProgramState.ENDING, reason="It ends after on-ending.sh.", next_step="")


class Child:
    """A command that runs until the test lets it exit."""

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "pipe"
        os.mkfifo(self._pipe)
        self.argv = ("sh", "-c", f"read status < {self._pipe}; exit $status")

    async def exit(self, with_status: int) -> None:
        """Wait until the command runs, and then let it exit."""
        await asyncio.to_thread(self._pipe.write_text, f"{with_status}\n")


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(tmp_path)


class NotingScreen(Screen):
    """A screen with an event that is set once it has printed a note."""

    def __init__(self) -> None:
        super().__init__()
        self.noted = asyncio.Event()

    def note(self, line: str) -> None:
        super().note(line)
        self.noted.set()


async def with_heartbeats(
    clock: QuickClock, *argv: str, which: Which | None = None, screen: Screen | None = None
) -> int:
    async with Client(read_settings(), clock, lambda _: None) as client:
        return await run(client, which or Which(ID, None), argv, clock=clock, screen=screen or Screen())


async def test_heartbeats_arrive_until_the_command_ends_and_its_machine_is_released(
    api: Api, clock: QuickClock, child: Child, capsys: pytest.CaptureFixture[str]
) -> None:
    running = asyncio.create_task(with_heartbeats(clock, *child.argv, which=Which(None, KEY)))
    await api.wait_for(BEAT, times=3)
    assert RELEASE not in api.calls
    api.states = deque([ENDING])
    await child.exit(7)
    assert await running == 7
    assert set(clock.paused) == {EVERY}
    assert (api.calls.count(RELEASE), api.calls[-1]) == (1, RELEASE)
    assert capsys.readouterr().err.endswith("It ends after on-ending.sh.\n")


async def test_a_heartbeat_that_fails_is_reported_once_and_the_command_goes_on(
    api: Api, clock: QuickClock, child: Child, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refusal = lambda _: status(500)()
    running = asyncio.create_task(with_heartbeats(clock, *child.argv))
    await api.wait_for(BEAT, times=4)
    api.refusal = lambda _: None
    await api.wait_for(BEAT, times=len(api.calls) + 2)
    await child.exit(0)
    assert await running == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("The command starts anyway, and I'll try to send a heartbeat every 5 min.")
    assert [line.partition(": ")[0] for line in lines[1:3]] == [
        "A heartbeat failed, but the command keeps running",
        "Heartbeats arrive again.",
    ]
    assert len(lines) == 4


async def test_a_machine_that_has_ended_does_not_end_the_command(
    api: Api, clock: QuickClock, child: Child, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = a_rental(ProgramState.ENDED, reason="Ben ended it.", next_step="")
    api.states = deque([a_rental(ProgramState.READY), ended])
    screen = NotingScreen()
    running = asyncio.create_task(with_heartbeats(clock, *child.argv, screen=screen))
    await screen.noted.wait()
    await child.exit(0)
    assert await running == 0
    assert api.calls.count(BEAT) == 1
    assert "The command keeps running, but its machine has ended: Ben ended it." in capsys.readouterr().err


async def test_heartbeats_go_on_while_the_machine_is_ending(
    api: Api, clock: QuickClock, child: Child, capsys: pytest.CaptureFixture[str]
) -> None:
    """If a machine ends because its heartbeat was lost, the next heartbeat restores the previous end."""
    ready = a_rental(ProgramState.READY)
    api.states = deque([ready, ENDING, ENDING, ready])
    running = asyncio.create_task(with_heartbeats(clock, *child.argv))
    await api.wait_for(BEAT, times=5)
    await child.exit(0)
    assert await running == 0
    assert capsys.readouterr().err.count("The command keeps running, but its machine is ending") == 1


@pytest.mark.usefixtures("api")
async def test_without_the_api_the_command_runs_and_its_status_counts(
    clock: QuickClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GPUBOT_API_URL", "http://127.0.0.1:1")
    assert await with_heartbeats(clock, "sh", "-c", "exit 3", which=Which(None, KEY)) == 3
    first, *_, last = capsys.readouterr().err.splitlines()
    assert "The command starts anyway" in first
    assert last.startswith("The machine may not have been released: http://127.0.0.1:1 doesn't answer")
    assert last.endswith(f"To release it: gpubot agent release --key {KEY}")


async def test_a_rental_that_is_unknown_or_over_starts_nothing(
    api: Api, clock: QuickClock, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    api.states = deque([a_rental(ProgramState.ENDED)])
    for which in (Which("zzzz2", None), Which(None, "run-9"), Which(ID, None)):
        with pytest.raises(GpubotError):
            await with_heartbeats(clock, "touch", str(started), which=which)
    assert not started.exists()
    assert not [call for call in api.calls if not call.startswith("GET")]


@pytest.mark.parametrize(("mode", "expected"), [(None, 127), (0o600, 126)])
async def test_a_command_that_cannot_start_releases_nothing(
    api: Api, clock: QuickClock, tmp_path: Path, mode: int | None, expected: int
) -> None:
    program = tmp_path / "train.sh"
    if mode is not None:
        program.write_text("#!/bin/sh\n")
        program.chmod(mode)
    assert await with_heartbeats(clock, str(program)) == expected
    assert RELEASE not in api.calls


async def test_a_command_that_a_signal_ended_has_a_shells_status(api: Api, clock: QuickClock) -> None:
    assert await with_heartbeats(clock, "sh", "-c", "kill -9 $$") == 128 + signal.SIGKILL
    assert api.calls[-1] == RELEASE


CATCHES = """
import signal
numbers = [signal.SIGINT, signal.SIGHUP, signal.SIGTERM]
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
while (number := signal.sigwait(numbers)) != signal.SIGTERM:
    print(signal.Signals(number).name, flush=True)
raise SystemExit(9)
"""


async def test_signals_are_passed_on_and_the_machine_is_released_after_them(api: Api) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "agent", "heartbeat", "--key", KEY, "--", sys.executable, "-c", CATCHES),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    for number in (signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
        assert await process.stdout.readline() == f"{number.name}\n".encode()
    assert RELEASE not in api.calls
    process.terminate()
    assert await process.wait() == 9
    assert api.calls[-1] == RELEASE


async def test_a_signal_that_is_ignored_stays_ignored(api: Api) -> None:
    """With nohup, the command keeps running after the terminal is closed."""
    shows = "import signal; print(signal.getsignal(signal.SIGHUP).name, flush=True); input()"
    heartbeat = (*(sys.executable, "-m", "bot", "agent", "heartbeat"), "--key", KEY, "--")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'trap "" HUP; exec "$@"', "sh", *heartbeat, sys.executable, "-c", shows),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"SIG_IGN\n"
    os.killpg(process.pid, signal.SIGHUP)
    await process.communicate(b"\n")
    assert process.returncode == 0
    assert api.calls[-1] == RELEASE


async def test_a_job_without_standard_streams_has_its_heartbeats_and_its_release(api: Api) -> None:
    heartbeat = (*(sys.executable, "-m", "bot", "agent", "heartbeat"), "--key", KEY, "--")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *heartbeat, "sh", "-c", "exit 3"), start_new_session=True
    )
    assert await process.wait() == 3
    assert {BEAT, RELEASE} <= set(api.calls)


async def test_a_second_signal_ends_a_release_that_does_not_arrive(api: Api, clock: QuickClock) -> None:
    """The person has pressed Ctrl-C again, because the API doesn't answer."""
    never = asyncio.Event()
    api.holds = lambda call: never if call == RELEASE else None
    running = asyncio.create_task(with_heartbeats(clock, "sh", "-c", "exit 3"))
    await api.wait_for(RELEASE)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 3
    never.set()
