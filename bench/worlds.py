"""Runs a sandbox for each measurement, and the measured app, such as the bot or the empty app, as a process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from bench.timing import seconds
from demo.processes import NotRunning, environment, free_port, private_log, run_sandbox, stop
from sandbox.client import SandboxClient

ADMIN = "U0ANA0000"
CONNECTIONS = 2
CONNECTED_WITHIN = 100.0
LONGEST_WAIT = 25.0
"""The maximum wall-clock seconds that the sandbox waits for connections in one call."""
SETTLED = {"settled": "0", "wait": "30"}
POLICY = """\
limits: {team_per_hour: 1000000.00, per_person_rentals: 1000}
hours: {time: 00:00-24:00, days: mon-sun}
"""
"""The policy. The bench rents more than the default limits allow, and people get questions at any time of day."""
ROOT = Path(__file__).parents[1]

BOT = ("-m", "bot", "run")
EMPTY = ("-m", "bench.empty_app")


@dataclass(frozen=True)
class World:
    """A sandbox, and the folder and settings of the app that uses it."""

    sandbox: SandboxClient
    folder: Path
    http: str
    """The bot's GPUBOT_HTTP: the address of /health and /metrics."""
    postgres: str | None = None
    """The URL of the bot's PostgreSQL database. None if it uses SQLite."""

    async def switch_on_rate_limits(self) -> None:
        """Enable Slack's rate limits."""
        await self.sandbox.slack.post("pace", {"scale": 1.0})

    async def wait_until_idle(self) -> None:
        """Wait until the bot is idle. Raise NotRunning if it isn't idle within 30 s."""
        address = f"http://{self.http}/health"
        async with aiohttp.ClientSession() as session, session.get(address, params=SETTLED) as answer:
            if not (await answer.json())["settled"]:
                raise NotRunning("The bot doesn't become idle.")

    async def commits(self) -> float:
        """Return the number of write transactions that the bot has committed since its start."""
        return await self.metric("gpubot_commits_total")

    async def metric(self, name: str) -> float:
        """Return the value of a metric without labels. Raise NotRunning if the bot doesn't have this metric."""
        async with aiohttp.ClientSession() as session, session.get(f"http://{self.http}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        for line in lines:
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise NotRunning(f"The bot has no metric {name}.")

    @property
    def database(self) -> str:
        """The bot's GPUBOT_DATABASE_URL."""
        return self.postgres or f"sqlite:///{self.file}"

    @property
    def file(self) -> Path:
        """The path of the SQLite database."""
        return self.folder / "gpubot.sqlite"

    def settings(self, channel: str) -> dict[str, str]:
        """Return the environment variables of the app, with `channel` as its home channel."""
        policy = self.folder / "policy.yml"
        policy.write_text(POLICY, encoding="utf-8")
        addresses = self.sandbox.addresses
        settings = environment(addresses, self.folder, admins=ADMIN, channel=channel, http=self.http)
        return {**settings, "GPUBOT_POLICY": str(policy), "GPUBOT_DATABASE_URL": self.database}


@asynccontextmanager
async def open_world(
    folder: Path, name: str, *, speed: float = 1, postgres: str | None = None
) -> AsyncIterator[World]:
    """Run a sandbox whose clock has this speed. Raise NotRunning if it doesn't start."""
    home = folder / name
    home.mkdir()
    # Switch Slack's rate limits off, because preparing a measurement would otherwise take minutes.
    # `switch_on_rate_limits` switches them on afterwards.
    options = ("--pace", "0", "--speed", str(speed))
    async with run_sandbox(*options, log=home / "sandbox.log") as addresses, aiohttp.ClientSession() as session:
        yield World(SandboxClient(addresses, session), home, f"127.0.0.1:{free_port()}", postgres)


@dataclass(frozen=True)
class App:
    """A running app."""

    process: asyncio.subprocess.Process
    connected_after: float
    """Wall-clock seconds from the start of the process until all of its connections were open."""

    def memory(self) -> float:
        """Return the resident memory in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1_000_000

    async def kill(self) -> None:
        """Kill the process with SIGKILL, as in a crash, and wait until it has ended."""
        self.process.kill()
        await self.process.wait()

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that the process has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def running(
    world: World, program: Sequence[str], settings: Mapping[str, str], *, connections: int = CONNECTIONS
) -> AsyncIterator[App]:
    """Run an app, and yield it once `connections` connections are open.

    Raises NotRunning if the app ends or doesn't connect.
    """
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
        await _connected(world, process, log, connections)
        yield App(process, seconds() - began)
    finally:
        await stop(process)


async def _connected(world: World, process: asyncio.subprocess.Process, log: Path, connections: int) -> None:
    sockets = asyncio.ensure_future(_open_sockets(world, connections))
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({sockets, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not sockets.done() or await sockets < connections:
            raise NotRunning(f"The app didn't connect.\n{_end_of(log)}")
    finally:
        for task in (sockets, ended):
            task.cancel()
        await asyncio.gather(sockets, ended, return_exceptions=True)


async def _open_sockets(world: World, least: int) -> int:
    """Wait until at least `least` connections are open, or CONNECTED_WITHIN has passed. Return their number."""
    until = seconds() + CONNECTED_WITHIN
    while True:
        found = len((await world.sandbox.sockets(least=least, wait=LONGEST_WAIT)).names)
        if found >= least or seconds() >= until:
            return found


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
