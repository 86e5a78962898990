"""Tests of `gpubot demo` and `gpubot sandbox` as programs: their output, and the end of their processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

import psutil
import pytest

TIMEOUT = 90


async def start(*arguments: str, in_session: bool = True, stdout: int = PIPE, **env: str) -> Process:
    """Start a command as the leader of its own process group, as a shell does.

    With `in_session`, the group gets its own session. Without it, the command is never started by a fork (see
    tests/forking.py).
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        stdin=PIPE,
        stdout=stdout,
        stderr=PIPE,
        env={**os.environ, **env},
        start_new_session=in_session,
        process_group=None if in_session else 0,
    )


async def until(process: Process, text: bytes) -> None:
    """Read lines until one contains `text`."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        while text not in (line := await process.stdout.readline()):
            assert line, f"it ended without {text!r}"


@pytest.mark.parametrize("send", [os.kill, os.killpg])
async def test_ctrl_c_ends_the_sandbox_without_an_error(
    send: Callable[[int, int], None],
) -> None:
    """The signal may reach only the process, or its whole group, as it does in a terminal."""
    process = await start("sandbox")
    await until(process, b"help, quit")
    send(process.pid, signal.SIGINT)
    async with asyncio.timeout(TIMEOUT):
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


async def test_the_sandbox_ends_with_its_bot_in_a_terminal_without_unicode() -> None:
    """The sandbox then ends as well, and prints the last output of the bot.

    A character that the terminal can't show is replaced, and the rest of the line is still printed.
    """
    process = await start("sandbox", in_session=False, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    await until(process, b"help, quit")
    assert process.stdin is not None
    process.stdin.write("ana list na\u00efve\nana list\n".encode())
    await until(process, b"Ana: /gpu list na?ve")
    await until(process, b"You have no machines right now.")
    started = psutil.Process(process.pid).children(recursive=True)
    (bot,) = [child for child in started if child.cmdline()[-2:] == ["bot", "run"]]
    bot.kill()
    async with asyncio.timeout(TIMEOUT):
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"gpubot run ended.\n")
    assert b"Traceback" not in err


async def test_an_interrupted_demo_ends_its_processes() -> None:
    """The test for SIGTERM is in tests/demo/test_story.py."""
    process = await start("demo")
    await until(process, b"/gpu get H100 EU")
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) >= 2
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(TIMEOUT):
        _, err = await process.communicate()
    assert process.returncode not in {0, None}
    assert b"Traceback" not in err
    assert psutil.wait_procs(started, timeout=TIMEOUT)[1] == []


async def test_a_demo_whose_output_pipe_is_closed_ends_without_a_traceback() -> None:
    out, theirs = os.pipe()
    process = await start("demo", stdout=theirs)
    os.close(theirs)
    with os.fdopen(out, "rb") as lines:
        assert all([await asyncio.to_thread(lines.readline) for _ in range(3)])
    async with asyncio.timeout(TIMEOUT):
        _, err = await process.communicate()
    assert process.returncode not in {0, None}
    assert b"Traceback" not in err
