"""Shared code of the sandbox's programs: options, the ready line, and shutting down.

The *ready line* is a line of JSON that a program prints once its servers accept connections. It contains their
URLs and tokens.
"""

import argparse
import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from errno import EACCES, EADDRINUSE
from typing import Any, NoReturn

from sandbox.clock import SandboxClock
from sandbox.exact_json import dumps

Stop = Callable[[], Awaitable[None]]
_HIGHEST_PORT = 65_535


class _OneLineParser(argparse.ArgumentParser):
    """A parser that reports a wrong option in a single line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}. --help shows the options.\n")


def arguments(program: str, what: str) -> argparse.ArgumentParser:
    """Return a parser for `python -m PROGRAM`, with the options that all of the sandbox's programs share."""
    parser = _OneLineParser(prog=f"python -m {program}", description=what)
    parser.add_argument("--speed", type=_speed, default=1.0, help="sandbox seconds per real second (default: 1)")
    parser.add_argument(
        "--at", type=_time, help="when the sandbox's time starts, ISO 8601 with a zone (default: now)"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    return parser


def clock_of(options: argparse.Namespace) -> SandboxClock:
    """Create the clock that the options `--at` and `--speed` describe."""
    return SandboxClock(options.at, speed=options.speed)


def port(text: str) -> int:
    """Parse the value of a port option."""
    if text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to {_HIGHEST_PORT}")


def _speed(text: str) -> float:
    try:
        return SandboxClock(speed=float(text)).speed
    except ValueError:
        raise argparse.ArgumentTypeError("speed must be from 0 to 1000000") from None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise argparse.ArgumentTypeError("a time is ISO 8601 with a zone, as 2026-11-24T12:00:00Z")
    return time


async def start_listening(start: Callable[[int], Awaitable[str]], port: int, option: str = "--port") -> str:
    """Start a server on a port and return its URL. Raise SystemExit with a one-line message if it can't listen."""
    try:
        return await start(port)
    except OSError as error:
        reason = {EADDRINUSE: "is taken", EACCES: "needs more rights"}.get(
            error.errno or 0, f"can't be had: {error.strerror}"
        )
        raise SystemExit(f"Port {port} {reason}. {option} 0 takes a free one.") from None


async def run_until_stopped(ready: dict[str, Any], stop: Stop, *, with_parent: bool) -> None:
    """Print the ready line, wait for SIGTERM or SIGINT, then stop.

    With `with_parent`, the program also stops when its standard input ends. A parent process that holds the
    other end of this pipe can thus be sure that the program stops, even if the parent is killed.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if with_parent:
        threading.Thread(target=_await_end_of_input, args=(loop, ended), daemon=True).start()
    try:
        print(dumps(ready), flush=True)
        await ended.wait()
    finally:
        await stop()


def _await_end_of_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Read standard input until it ends, then set `ended`.

    Runs in its own thread, because asyncio can't read standard input if it is a terminal or a file.
    """
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    # The event loop may have been closed in the meantime. In that case, nobody waits for `ended`.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(ended.set)
