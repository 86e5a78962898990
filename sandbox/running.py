"""Running a part of the sandbox as a program: its ready line, and how it ends."""

import argparse
import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from sandbox.clock import SandboxClock
from sandbox.exact import dumps

Stop = Callable[[], Awaitable[None]]


def arguments(what: str) -> argparse.ArgumentParser:
    """A parser with the options that every part has; `clock_of` reads those of the clock."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--speed", type=float, default=1.0, help="sandbox seconds per real second (default: 1)")
    parser.add_argument("--at", help="when the sandbox's time starts, ISO 8601 with a zone (default: now)")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    return parser


def clock_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> SandboxClock:
    """The clock that was asked for; ends the program with a line about it where that makes no sense."""
    try:
        start = None if options.at is None else datetime.fromisoformat(options.at)
        return SandboxClock(start, speed=options.speed)
    except ValueError as wrong:
        parser.error(str(wrong))


async def run_until_told(ready: dict[str, Any], stop: Stop, *, with_parent: bool) -> None:
    """Prints the ready line, waits for SIGTERM, SIGINT or the parent's end, and stops."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if with_parent:
        threading.Thread(target=_await_end_of_input, args=(loop, told), daemon=True).start()
    try:
        print(dumps(ready), flush=True)
        await told.wait()
    finally:
        await stop()


def _await_end_of_input(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    """Reads standard input to its end. A thread, because a terminal or a file there is no pipe to watch."""
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the loop has ended by itself meanwhile
        loop.call_soon_threadsafe(told.set)
