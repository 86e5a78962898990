"""Starts and stops the sandbox and the bot, each as a process of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import aiohttp
import yaml

from bot.clock import SystemClock
from bot.config.manifest import http_manifest
from bot.config.settings import SlackMode
from bot.errors import GpubotError
from sandbox.client import Addresses, SandboxClient

START_SECONDS = 90.0
STOP_SECONDS = 30.0
PORTS = range(20_000, 30_000)
"""The ports from which free ones are chosen.

They are below the range from which Linux assigns ports to programs that don't choose a port themselves
(net.ipv4.ip_local_port_range, which begins at 32768).
"""
DATABASE = "gpubot.sqlite"
TAIL = 2000
"""The number of characters of a log that are shown when a process ends too early."""


SETUP = """\
#!/bin/sh
python3 -m venv /opt/torch && /opt/torch/bin/pip install --quiet torch
"""
"""The setup script `torch`, as in `/gpu get H100 setup torch`. The sandbox's machines don't run it."""


class NotRunning(GpubotError):
    """A process of the demo didn't start, or ended too early."""


def private_log(path: Path) -> BinaryIO:
    """Open a log file for appending, and make it readable only by its owner, even if it existed before."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    return os.fdopen(file, "ab")


@asynccontextmanager
async def run_sandbox(*options: str, log: Path) -> AsyncIterator[Addresses]:
    """Run the sandbox for the duration of the block. Raise NotRunning if it doesn't start."""
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
            cwd=Path(__file__).parents[1],
        )
    try:
        if process.stdout is None:
            raise NotRunning("The sandbox has no output.")
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        if not line:
            raise NotRunning(f"The sandbox didn't start.\n{_tail(log)}")
        yield Addresses.read(line)
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
        """Kill the process with SIGKILL, which has the same effect as a crash."""
        self.process.send_signal(signal.SIGKILL)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the process for the duration of the block (SIGSTOP, SIGCONT), as if its machine were suspended."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


def write_policy(folder: Path) -> Path:
    """Write a policy file with the setup script `torch` and the project `sweeps`, and return its path.

    The sandbox's clock starts at the current time, which may be at night. So the policy allows the bot to ask
    people questions at any time of the week. The current time may also be at the end of a month. The bill then
    uses a time zone in which the month goes on for at least 12 hours, so that no rental is charged to two months.
    """
    now = SystemClock().real()
    zone = "UTC" if (now + timedelta(hours=12)).month == now.month else "Etc/GMT+12"
    (folder / "torch.sh").write_text(SETUP)
    policy = folder / "policy.yml"
    policy.write_text(
        "setup: {torch: torch.sh}\n"
        'hours: {time: "00:00-24:00", days: mon-sun}\n'
        "projects: {sweeps: {channels: [C0GPUS000], budget: 96.00}}\n"
        f"billing: {{timezone: {zone}}}\n"
    )
    return policy


def environment(
    addresses: Addresses,
    folder: Path,
    *,
    admins: str,
    channel: str,
    http: str,
    api: str | None = None,
    policy: Path | None = None,
    slack_http: str | None = None,
) -> dict[str, str]:
    """Return the environment variables of a bot in the sandbox.

    If `api` is set, the bot serves its REST API at this address. Without `policy`, the bot has no policy file. If
    `slack_http` is set, the bot runs in HTTP mode and receives Slack's requests at this address.
    """
    inherited = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONWARNINGS")
    return {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        "SLACK_BOT_TOKEN": addresses.bot_token,
        **({"SLACK_APP_TOKEN": addresses.app_token} if slack_http is None else http_mode(addresses, slack_http)),
        "SLACK_API_URL": addresses.api,
        "COMPUTE_CLEAR_URL": addresses.compute,
        "COMPUTE_CLEAR_TOKEN": addresses.compute_token,
        "GPUBOT_CLOCK_URL": addresses.clock,
        "GPUBOT_GITHUB_URL": addresses.github,
        "GPUBOT_CHANNEL": channel,
        "GPUBOT_ADMINS": admins,
        "GPUBOT_DATABASE_URL": f"sqlite:///{folder / DATABASE}",
        "GPUBOT_SOCKET": str(folder / "gpubot.sock"),
        "GPUBOT_HTTP": http,
        **({"GPUBOT_API": api} if api is not None else {}),
        **({"GPUBOT_POLICY": str(policy)} if policy is not None else {}),
    }


def http_mode(addresses: Addresses, address: str) -> dict[str, str]:
    """Return the settings of HTTP mode, with the address at which the bot receives the sandbox's requests."""
    return {
        "GPUBOT_SLACK_MODE": SlackMode.HTTP,
        "SLACK_SIGNING_SECRET": addresses.signing_secret,
        "GPUBOT_SLACK_HTTP": address,
        # When the bot stops in HTTP mode, it normally waits until a load balancer has noticed that. Here is no
        # load balancer, so the bot needn't wait.
        "GPUBOT_SLACK_HANDOVER": "0",
    }


async def install_http_app(sandbox: SandboxClient, address: str) -> None:
    """Install the manifest of HTTP mode in the sandbox's Slack.

    The bot must be running, because Slack verifies its request URL.
    """
    manifest = yaml.safe_load(http_manifest("https://bot.example.com"))
    await sandbox.install(manifest, reach=f"http://{address}")


async def start_bot(
    settings: Mapping[str, str],
    log: Path,
    *,
    connections: int | None = None,
    well: bool = True,
    python: str = sys.executable,
) -> Bot:
    """Start `gpubot run` and wait until it is connected.

    Args:
        settings: The environment variables of the process.
        log: The file to which the output is appended.
        connections: The number of connections to wait for, by default all that the bot opens.
        well: False if the bot may also report problems in its /health.
        python: The Python interpreter to use.

    Raises:
        NotRunning: The process ended before it was connected.
    """
    if connections is None:
        connections = 1 if settings.get("GPUBOT_SLACK_MODE") == SlackMode.HTTP else 2
    with private_log(log) as out:
        process = await asyncio.create_subprocess_exec(
            python,
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
            while not await _connected(session, bot, connections, well=well):
                if process.returncode is not None:
                    raise NotRunning(f"gpubot run ended.\n{_tail(log)}")
                await SystemClock().pause(0.05)
    except BaseException:
        await stop(process)
        raise
    return bot


async def _connected(session: aiohttp.ClientSession, bot: Bot, connections: int, *, well: bool) -> bool:
    try:
        async with session.get(bot.health) as answer:
            return (answer.ok or not well) and int((await answer.json())["connections"]) >= connections
    except aiohttp.ClientError:
        return False


async def until_it_ends(bot: Bot) -> None:
    """Wait until the bot ends on its own, then raise NotRunning."""
    await bot.process.wait()
    raise NotRunning(f"gpubot run ended.\n{_tail(bot.log)}")


async def stop(process: asyncio.subprocess.Process) -> int:
    """End a process with SIGTERM, or with SIGKILL if it doesn't end in time, and return its exit status."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
    return await process.wait()


def free_port() -> int:
    """Return a free port on loopback, outside the range from which the system assigns ports to other programs."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-TAIL:] if log.exists() else ""
