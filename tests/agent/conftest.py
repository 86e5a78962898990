"""Provides the API and the command line to tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from agent.commands import run
from bot.clock import MovedClock
from bot.errors import GpubotError
from tests.agent.api import SECRET, Api
from tests.databases import START, sqlite_url

__all__ = ["sqlite_url"]


class QuickClock(MovedClock):
    """A clock whose pauses take no time and are only recorded."""

    def __init__(self) -> None:
        super().__init__(START)
        self.paused: list[float] = []

    def monotonic(self) -> float:
        return sum(self.paused)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.jump(timedelta(seconds=seconds))
        await asyncio.sleep(0)


class Done(NamedTuple):
    """The outcome of a command."""

    status: int
    out: str
    err: str


Cli = Callable[..., Coroutine[Any, Any, Done]]


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the time zone of this process to that of Berlin."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """Yield a running API, which the environment names, with a token."""
    api = Api()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await web.UnixSite(runner, str(tmp_path / "api.sock")).start()
    api.runner, api.url = runner, f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name in [name for name in os.environ if name.startswith("GPUBOT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GPUBOT_API_URL", api.url)
    monkeypatch.setenv("GPUBOT_TOKEN", SECRET)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield api
    await runner.cleanup()


@pytest.fixture
def cli(clock: QuickClock, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that carries out a command of `gpubot agent`, in a thread of this process."""

    async def type_command(*arguments: str) -> Done:
        status = await asyncio.to_thread(_status_of, arguments, clock)
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return type_command


async def interrupted(api: Api, at: str, *arguments: str) -> Done:
    """Start `gpubot agent` as a process, and press Ctrl-C while the API doesn't answer the call `at`."""
    never = asyncio.Event()
    api.holds = lambda call: never if call == at else None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "agent", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await api.wait_for(at)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    never.set()
    return Done(process.returncode or 0, out.decode(), err.decode())


def _status_of(arguments: tuple[str, ...], clock: QuickClock) -> int:
    try:
        run(list(arguments), clock=clock)
    except SystemExit as ended:
        return int(ended.code or 0)
    except GpubotError as error:
        sys.stderr.write(error.words + "\n")
        return 1
    return 0
