"""Starts the sandbox and the bot as processes of their own, and stops them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import aiohttp

from bot.clock import SystemClock
from bot.errors import GpubotError

START_SECONDS = 90.0
STOP_SECONDS = 30.0
PORTS = range(20_000, 30_000)
"""Below those that Linux hands out by itself (net.ipv4.ip_local_port_range, from 32768)."""
SAID = 2000
"""How much of a log is shown when a process ends too early."""


class NotRunning(GpubotError):
    """A process of the demo didn't start, or ended too early."""


@dataclass(frozen=True)
class Ready:
    """Where the sandbox is, as its ready line says."""

    compute: str
    slack: str
    api: str
    clock: str
    bot_token: str
    app_token: str
    compute_token: str


def private_log(path: Path) -> BinaryIO:
    """Opens a log to add to it. Nobody but its owner can read it, also if it was there before."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    return os.fdopen(file, "ab")


@asynccontextmanager
async def sandbox(*options: str, log: Path) -> AsyncIterator[Ready]:
    """The sandbox, until the end of the block. Raises NotRunning."""
    with private_log(log) as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox",
            "--with-parent",
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=out,
            cwd=Path(__file__).parents[2],
        )
    try:
        if process.stdout is None:
            raise NotRunning("The sandbox has no output.")
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        if not line:
            raise NotRunning(f"The sandbox didn't start.\n{_tail(log)}")
        yield Ready(**json.loads(line))
    finally:
        await stop(process)


@dataclass
class Bot:
    """A running `gpubot run`."""

    process: asyncio.subprocess.Process
    health: str
    """The URL of its /health."""
    log: Path

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.process.send_signal(signal.SIGKILL)


def environment(ready: Ready, folder: Path, *, admins: str, channel: str, http: str) -> dict[str, str]:
    """The settings of a bot that lives in the sandbox."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONWARNINGS")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "SLACK_BOT_TOKEN": ready.bot_token,
        "SLACK_APP_TOKEN": ready.app_token,
        "SLACK_API_URL": ready.api,
        "COMPUTE_CLEAR_URL": ready.compute,
        "COMPUTE_CLEAR_TOKEN": ready.compute_token,
        "GPUBOT_CLOCK_URL": ready.clock,
        "GPUBOT_CHANNEL": channel,
        "GPUBOT_ADMINS": admins,
        "GPUBOT_DATABASE_URL": f"sqlite:///{folder / 'gpubot.sqlite'}",
        "GPUBOT_HTTP": http,
    }


async def start_bot(settings: Mapping[str, str], log: Path, *, connections: int = 2) -> Bot:
    """`gpubot run`, once it is connected. Raises NotRunning where it ends instead."""
    with private_log(log) as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "run",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(settings),
            cwd=log.parent,
        )
    bot = Bot(process=process, health=f"http://{settings['GPUBOT_HTTP']}/health", log=log)
    try:
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
            while not await _connected(session, bot, connections):
                if process.returncode is not None:
                    raise NotRunning(f"gpubot run ended.\n{_tail(log)}")
                await SystemClock().pause(0.05)
    except BaseException:
        await stop(process)
        raise
    return bot


async def _connected(session: aiohttp.ClientSession, bot: Bot, connections: int) -> bool:
    try:
        async with session.get(bot.health) as answer:
            return answer.ok and int((await answer.json())["connections"]) >= connections
    except aiohttp.ClientError:
        return False


async def until_it_ends(bot: Bot) -> None:
    """Waits for the bot's end, which nobody asked for. Raises NotRunning then."""
    await bot.process.wait()
    raise NotRunning(f"gpubot run ended.\n{_tail(bot.log)}")


async def stop(process: asyncio.subprocess.Process) -> int:
    """Asks a process to end and waits; ends it by force where it doesn't. Answers its exit status."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
    return await process.wait()


def free_port() -> int:
    """A port on loopback that nobody listens on, and that no program gets that takes just any."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-SAID:] if log.exists() else ""
