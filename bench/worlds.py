"""A sandbox of its own for an app, and the app as a process: the bot, or the empty one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from bench.measuring import seconds
from bot.demo.outside import Outside
from bot.demo.processes import NotRunning, Ready, environment, free_port, private_log, sandbox, stop

ADMIN = "U0ANA0000"
CONNECTIONS = 2
CONNECTED_WITHIN = 25.0
SETTLED = {"settled": "0", "wait": "30"}
POLICY = "limits: {team_per_hour: 1000000.00, per_person_rentals: 1000}\n"
"""The team rents more than the default limits allow, so that its offers can all be rented."""
ROOT = Path(__file__).parents[1]

BOT = ("-m", "bot", "run")
EMPTY = ("-m", "bench.empty_app")


@dataclass(frozen=True)
class World:
    """A sandbox, and where an app that lives in it keeps its things."""

    outside: Outside
    folder: Path
    http: str
    """The bot's GPUBOT_HTTP."""

    async def keep_real_pace(self) -> None:
        """From now on Slack's rate limits hold."""
        await self.outside.slack("POST", "pace", {"scale": 1.0})

    async def settled(self) -> None:
        """Waits until the bot has nothing under way. Raises NotRunning where it always has."""
        address = f"http://{self.http}/health"
        async with aiohttp.ClientSession() as session, session.get(address, params=SETTLED) as answer:
            if not (await answer.json())["settled"]:
                raise NotRunning("The bot doesn't come to rest.")

    @property
    def database(self) -> str:
        """The bot's GPUBOT_DATABASE_URL."""
        return f"sqlite:///{self.file}"

    @property
    def file(self) -> Path:
        return self.folder / "gpubot.sqlite"

    def settings(self, channel: str) -> dict[str, str]:
        """The environment of the app, whose home is `channel`."""
        policy = self.folder / "policy.yml"
        policy.write_text(POLICY, encoding="utf-8")
        ready: Ready = self.outside.ready
        told = environment(ready, self.folder, admins=ADMIN, channel=channel, http=self.http)
        return {**told, "GPUBOT_POLICY": str(policy)}


@asynccontextmanager
async def world(folder: Path, name: str, *, speed: float = 1) -> AsyncIterator[World]:
    """A sandbox as a process, with time at that speed, until the end of the block. Raises NotRunning."""
    home = folder / name
    home.mkdir()
    # Real limits would make setting up take minutes; while measuring, they hold.
    options = ("--pace", "0", "--speed", str(speed))
    async with sandbox(*options, log=home / "sandbox.log") as ready, aiohttp.ClientSession() as session:
        yield World(Outside(ready, session), home, f"127.0.0.1:{free_port()}")


@dataclass(frozen=True)
class App:
    """A running app."""

    process: asyncio.subprocess.Process
    connected_after: float
    """Real seconds from the start of its process until all its connections were open."""

    def memory(self) -> float:
        """Resident memory, MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1_000_000


@asynccontextmanager
async def running(world: World, program: Sequence[str], settings: Mapping[str, str]) -> AsyncIterator[App]:
    """An app, from connected until the end of the block. Raises NotRunning."""
    log = world.folder / "app.log"
    with private_log(log) as out:
        began = seconds()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *program,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**settings, "PYTHONPATH": str(ROOT)},
            cwd=world.folder,
        )
    try:
        await _connected(world, process, log)
        yield App(process, seconds() - began)
    finally:
        await stop(process)


async def _connected(world: World, process: asyncio.subprocess.Process, log: Path) -> None:
    sockets = asyncio.ensure_future(
        world.outside.slack("GET", "sockets", least=CONNECTIONS, wait=CONNECTED_WITHIN)
    )
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({sockets, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not sockets.done() or len((await sockets)["sockets"]) < CONNECTIONS:
            raise NotRunning(f"The app didn't connect.\n{_end_of(log)}")
    finally:
        for task in (sockets, ended):
            task.cancel()
        await asyncio.gather(sockets, ended, return_exceptions=True)


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
