"""The output of the commands at a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import sys
import termios
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from bot.model.api import ProgramState
from tests.agent.api import CODE, ID, KEY, Api, a_rental
from tests.agent.conftest import Cli, QuickClock, interrupted
from tests.databases import START

PENDING, SEARCHING, STARTING = ProgramState.PENDING, ProgramState.SEARCHING, ProgramState.STARTING
READY = ProgramState.READY
RENT = ("rent", "H100", "EU", "--for", "4h", "--max", "20", "--key", KEY)
ERASE = "\r\x1b[K"
WAIT = f"GET /v1/rentals/{ID}?wait=25&state=starting"


class Terminal:
    """A terminal of 100 columns."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 100))

    async def read_until(self, text: str) -> str:
        """Return everything that is printed until `text` appears."""
        shown = ""
        while text not in shown:
            shown += (await asyncio.to_thread(os.read, self.master, 65536)).decode()
        return shown

    @contextmanager
    def stderr(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Connect stderr of this process to the terminal."""
        with os.fdopen(os.dup(self.slave), "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            yield

    async def lines(self, until: str) -> list[str]:
        """Return the lines up to a text. A line that replaces the one before begins with `<`."""
        return (await self.read_until(until)).replace(ERASE, "\n<").splitlines()

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    os.close(terminal.master)
    os.close(terminal.slave)


async def test_at_a_terminal_the_progress_is_shown_and_replaced(
    api: Api, cli: Cli, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = a_rental(SEARCHING, reason="I'm looking for an offer.")
    later = a_rental(STARTING, started_at=START - timedelta(seconds=160))
    api.states = deque([asked, a_rental(STARTING), later, a_rental(READY)])
    with terminal.stderr(monkeypatch):
        done = await cli(*RENT, "--wait")
    assert done.status == 0
    assert done.out.startswith("Ready after 2 min 51 s. ")
    assert api.calls[-1] == f"GET /v1/rentals/{ID}?wait=10&state=starting"
    assert await terminal.lines(f"3 min 40 s of about 3 min{ERASE}") == [
        "1x H100 in EU for 4 h, at most $10.76. I'm looking for an offer.",
        "<1x H100 in EU for 4 h, at most $10.76, within the terms of nightly eval (Ana).",
        "Starting: 1x H100 SXM 80 GB (m3xt8) at Nebius, $2.08/h, 1 min 40 s of about 3 min",
        "<Starting: 1x H100 SXM 80 GB (m3xt8) at Nebius, $2.08/h, 3 min 40 s of about 3 min",
        "<",
    ]


async def test_at_a_terminal_a_pending_request_says_who_was_asked(
    api: Api, cli: Cli, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, clock: QuickClock
) -> None:
    clock.put(START + timedelta(hours=1))
    denied = a_rental(ProgramState.DENIED, reason="Ben denied it: too expensive.", next_step="Use a new key.")
    api.states = deque([a_rental(PENDING), a_rental(PENDING, approvers=("Ben", "Cleo")), denied])
    with terminal.stderr(monkeypatch):
        done = await cli(*RENT, "--wait")
    assert (done.status, done.out) == (3, "")
    assert await terminal.lines("Use a new key.") == [
        "Needs approval. Ben was asked at 09:58 CET, and the request expires tomorrow at 07:00 CET. "
        "It stays if you stop waiting: gpubot agent show --key run-812",
        "Waiting for a decision",
        "<Waiting for a decision",
        "<Ben denied it: too expensive. Use a new key.",
    ]


async def test_at_a_terminal_a_login_says_whether_the_code_was_typed(
    api: Api, cli: Cli, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GPUBOT_TOKEN")
    with terminal.stderr(monkeypatch):
        done = await cli("login")
    assert (done.status, done.out[:26], len(api.calls)) == (0, "Logged in as nightly eval ", 3)
    assert await terminal.lines(f"submitted{ERASE}") == [
        f"In Slack, type: /gpu token {CODE}",
        "The code works once, within 10 min. Type it yourself; don't send it to anyone.",
        "Waiting until somebody types the code",
        "<The code was typed. Waiting until the form is submitted",
        "<",
    ]


async def test_ctrl_c_stops_waiting_and_leaves_the_request(api: Api) -> None:
    api.states = deque([a_rental(STARTING)])
    assert await interrupted(api, WAIT, *RENT, "--wait") == (
        130,
        "",
        "Stopped waiting. The request isn't withdrawn. To see it: gpubot agent show --key run-812  "
        "To end it: gpubot agent release --key run-812\n",
    )
    assert api.calls == ["POST /v1/rentals", WAIT]


async def test_ctrl_c_before_an_answer_says_that_the_request_may_have_arrived(api: Api) -> None:
    assert await interrupted(api, "POST /v1/rentals", *RENT) == (
        130,
        "",
        "The request may have arrived. To find out, repeat it with the same key: --key run-812\n",
    )


COUNTS = """
import signal
numbers = [signal.SIGINT, signal.SIGHUP, signal.SIGTERM]
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
caught = []
while (number := signal.sigwait(numbers)) != signal.SIGTERM:
    caught.append(number)
    print(f"caught {signal.Signals(number).name}", flush=True)
print(f"{caught.count(signal.SIGINT)} in all", flush=True)
"""


async def test_ctrl_c_at_a_terminal_reaches_the_command_only_once(api: Api, terminal: Terminal) -> None:
    """The terminal sends the signal to the command, too, so it isn't passed on.

    Two signals that arrive at the same time count as one. So once the command has caught the signal of the
    terminal, another one is sent that would be passed on. SIGHUP shows that it was handled.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "agent", "heartbeat", ID, "--", sys.executable, "-c", COUNTS),
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    await terminal.read_until("ready")
    terminal.type(b"\x03")
    await terminal.read_until("caught SIGINT")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    await terminal.read_until("caught SIGHUP")
    process.terminate()
    assert "1 in all" in await terminal.read_until("in all")
    await process.wait()
    assert api.calls[-1] == f"DELETE /v1/rentals/{ID}"
