"""`gpubot demo` and `gpubot sandbox` as programs: what they print, and that they leave no process behind."""

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


async def start(*words: str, in_session: bool = True, stdout: int = PIPE, **env: str) -> Process:
    """Start a command as the leader of its own process group, as a shell does. With `in_session`, the group has a
    session of its own; without it, the command is never started by a fork (tests/forking.py).
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *words,
        stdin=PIPE,
        stdout=stdout,
        stderr=PIPE,
        env={**os.environ, **env},
        start_new_session=in_session,
        process_group=None if in_session else 0,
    )


async def until(process: Process, words: bytes) -> None:
    """Read up to a line with these words."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        while words not in (line := await process.stdout.readline()):
            assert line, f"it ended without {words!r}"


@pytest.mark.parametrize("send", [os.kill, os.killpg])
async def test_ctrl_c_for_the_process_or_its_group_ends_the_sandbox_without_an_error(
    send: Callable[[int, int], None],
) -> None:
    process = await start("sandbox")
    await until(process, b"help, quit")
    send(process.pid, signal.SIGINT)
    async with asyncio.timeout(TIMEOUT):
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


async def test_a_terminal_that_cannot_show_a_character_shows_the_rest_and_the_last_words_of_a_bot_that_ends() -> (
    None
):
    """The sandbox ends with its bot."""
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


async def test_a_demo_that_is_interrupted_ends_the_processes_that_it_started() -> None:
    """tests/demo/test_story.py has SIGTERM."""
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
