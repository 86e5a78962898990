"""The world of an episode: the sandbox, the processes of the bot, and the passing of time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh

from bot.clock import SystemClock
from demo.processes import Bot, NotRunning, environment, free_port, run_sandbox, start_bot, stop
from sandbox.client import SandboxClient, SeenMessage, Server
from sandbox.client.answers import Json
from sandbox.compute.control_use import UseBody
from sandbox.slack.default import ANA, BEN, CLEO, DAN, GPUS, GUS, OLGA, TRAINING
from sandbox.use import Use
from soak.actions import GITHUB_NAME, LEAVER
from soak.databases import Store
from soak.disturbances import TOKENS, Disturbance, System
from soak.evidence import Jump, MachineUse, PerformedAction

PEOPLE = {"Ana": ANA, "Ben": BEN, "Cleo": CLEO, "Dan": DAN, "Gus": GUS, "Olga": OLGA}
POLICY = """\
approvers: {groups: [S0APPROVE]}
approvals_channel: C0APPROVE
approval: {expires: 1h}
hours: {time: 00:00-24:00, days: mon-sun}
limits: {per_person_rentals: 8, team_per_hour: 2000.00}
lease: {default: 1h, max: 3h, notices: [30m, 20m], grace: 10m}
check_in: {after: 25m}
procure: {provision_timeout: 10m}
setup: {tools: tools.sh}
waiting: {longest: 2h}
"""
SETUP = "#!/bin/sh\ntrue\n"
GRACE = timedelta(minutes=10)
STEP = 60.0
"""The longest jump of the clock, in seconds. After a jump, work is overdue by at most this time."""
CATCH_UP = 0.7
"""Wall-clock seconds that the bot gets to catch up after each jump, while people act."""
SETTLE = 75.0
"""Wall-clock seconds within which the bot must become idle once nothing fails any more."""
HEALTH_EVERY = 0.03
TAIL = 3000


def new_key() -> str:
    """Return a new public key, as the line of a `.pub` file."""
    return asyncssh.generate_private_key("ssh-ed25519", comment="soak@laptop").export_public_key().decode().strip()


async def delivers(session: aiohttp.ClientSession, bot: Bot) -> bool:
    """Return whether this process is the one that delivers the outbox to Slack, according to its /health."""
    try:
        async with session.get(bot.health) as answer:
            return bool((await answer.json())["delivering"])
    except aiohttp.ClientError:
        return False


class Finding(NotRunning):
    """A condition that must always be true was violated."""


@dataclass
class Replica:
    """One process of the bot. It is started again after each kill."""

    settings: dict[str, str]
    log: Path
    bot: Bot | None = None
    """The running process, or None while it is down."""
    is_stopped: bool = False
    """True while the process is stopped by SIGSTOP."""

    @property
    def answers(self) -> bool:
        """True if the process is running and not stopped."""
        return self.bot is not None and not self.is_stopped

    def running(self) -> Bot:
        """Return the process. Raise Finding if it has exited on its own."""
        if self.bot is None or self.bot.process.returncode is not None:
            status = self.bot.process.returncode if self.bot else None
            raise Finding(f"gpubot run ended on its own, with status {status}: {self.tail()}")
        return self.bot

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the process with SIGSTOP for the duration of the block."""
        self.is_stopped = True
        try:
            with self.running().stopped():
                yield
        finally:
            self.is_stopped = False

    def tail(self) -> str:
        """Return the last part of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-TAIL:]


@dataclass
class World:
    """The sandbox, the bot, and the record of one episode."""

    sandbox: SandboxClient
    session: aiohttp.ClientSession
    store: Store
    replicas: tuple[Replica, ...]
    """The bot's only process, or several processes that share the database."""
    actions: list[PerformedAction] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    graceful_stops: int = 0
    disturbances: list[Disturbance] = field(default_factory=list)
    """The disturbances that are in force now."""
    disturbances_met: Counter[str] = field(default_factory=Counter)
    """The number of times that each disturbance began, by name."""
    reclaimed: set[str] = field(default_factory=set)
    """The IDs of the resources that their vendor reclaimed."""
    uses: list[MachineUse] = field(default_factory=list)
    """The uses of machines, oldest first."""
    restored_at: datetime | None = None
    """The time at which the database was replaced by an older copy, or None if it never was."""
    calm_since: datetime | None = None
    """The time since which nothing has been disturbed, or None while there is a disturbance."""
    left_at: datetime | None = None
    """The time at which `LEAVER` left the workspace, or None."""
    seen_by_leaver: tuple[SeenMessage, ...] = ()
    """The messages that `LEAVER` saw before leaving."""
    modals: list[tuple[str, str]] = field(default_factory=list)
    """The modals that people saw: the person's name, and the text."""
    health: dict[str, Any] = field(default_factory=dict)
    """The most recent /health."""

    # --- the processes

    async def start(self) -> None:
        """Start each process that is down.

        Raises Finding if a process doesn't start, even if disturbances are in force: the bot must start in spite
        of them.
        """
        starts = (self._start(replica) for replica in self.replicas if replica.bot is None)
        # Wait for all processes even if one fails to start. Otherwise, another process that is still starting
        # would keep running after the error.
        for error in await asyncio.gather(*starts, return_exceptions=True):
            if error is not None:
                raise error

    async def _start(self, replica: Replica) -> None:
        replica.settings["GPUBOT_HTTP"] = f"127.0.0.1:{free_port()}"
        try:
            replica.bot = await start_bot(replica.settings, replica.log, connections=0)
        except (NotRunning, TimeoutError) as error:
            raise Finding(f"gpubot run did not start: {str(error)[-TAIL:]}") from error

    async def connected(self, seconds: float) -> bool:
        """Wait until each process has two connections to Slack, and return whether this succeeded.

        Waits at most `seconds` of wall-clock time.
        """
        least = 2 * len(self.replicas)
        return len((await self.sandbox.sockets(least=least, wait=seconds)).names) >= least

    async def kill(self, *, graceful: bool, only: Replica | None = None) -> None:
        """End every process, or just the process `only`, with SIGKILL, or with SIGTERM if `graceful`.

        Raises Finding if a process has already exited on its own, or if it exits with an error after SIGTERM.
        """
        await self.read_health()
        for replica in self.replicas if only is None else (only,):
            bot = replica.running()
            if graceful:
                status = await stop(bot.process)
                if status != 0:
                    raise Finding(f"After SIGTERM, gpubot run ended with status {status}: {replica.tail()}")
                self.graceful_stops += 1
            else:
                bot.kill()
                await bot.process.wait()
            replica.bot = None

    async def read_health(self, **query: str) -> dict[str, Any]:
        """Return the /health of the first process that answers, or an empty dict if none does."""
        for replica in self.replicas:
            if health := await self._health_of(replica, **query):
                self.health = health
                return health
        return {}

    async def _health_of(self, replica: Replica, **query: str) -> dict[str, Any]:
        if replica.bot is None or replica.is_stopped:
            return {}
        timeout = aiohttp.ClientTimeout(total=float(query.get("wait", 2)) + 5)
        try:
            async with self.session.get(replica.bot.health, params=query, timeout=timeout) as response:
                return dict(await response.json())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return {}

    async def _healths(self, **query: str) -> list[dict[str, Any]]:
        """Return the /health of each process that is running and not stopped.

        A process that doesn't answer contributes an empty dict.
        """
        answering = [replica for replica in self.replicas if replica.answers]
        return await asyncio.gather(*(self._health_of(replica, **query) for replica in answering))

    # --- time

    async def pass_time(self, seconds: float) -> None:
        """Let sandbox time pass in short steps.

        Before each step, the bot gets up to `CATCH_UP` seconds to catch up.
        """
        while seconds > 0:
            step = min(seconds, STEP)
            caught_up = await self._caught_up()
            await self._jump(step, excused=not caught_up or self._market_may_fail())
            seconds -= step

    async def _jump(self, seconds: float, *, excused: bool) -> None:
        now = await self.sandbox.now()
        end = now + timedelta(seconds=seconds)
        await self.sandbox.jump_to(end)
        self.jumps.append(Jump(start=now, end=end, excused=excused))

    def _market_may_fail(self) -> bool:
        """Return whether a deletion might fail because of the market or the store."""
        return any(each.system in {System.MARKET, System.STORE} for each in self.disturbances)

    async def _caught_up(self) -> bool:
        clock, waited = SystemClock(), 0.0
        while any(replica.answers for replica in self.replicas) and waited < CATCH_UP:
            healths, revision = await self._healths(), (await self.sandbox.clock()).revision
            if healths and all(_is_idle(health, revision) for health in healths):
                return True
            await clock.pause(HEALTH_EVERY)
            waited += HEALTH_EVERY
        return False

    async def settle(self) -> None:
        """Wait until the bot is idle. Raise Finding if it doesn't become idle in time."""
        revision = (await self.sandbox.clock()).revision
        clock = SystemClock()
        until = clock.monotonic() + SETTLE
        healths: list[dict[str, Any]] = []
        while clock.monotonic() < until:
            for replica in self.replicas:
                replica.running()
            healths = await self._healths(settled=str(revision), wait="15")
            # While the last processes became idle, an earlier one may have begun something new. Check all of them
            # again.
            if all(health.get("settled") for health in [*healths, *await self._healths()]):
                return
            await clock.pause(0.1)
        raise Finding(f"The bot doesn't become idle within {SETTLE:.0f} s: {healths}")

    async def pass_time_settled(self, seconds: float) -> None:
        """Let sandbox time pass in steps of two minutes.

        Before each step and at the end, waits until the bot is idle. Raises Finding if the bot doesn't become idle
        in time.
        """
        while seconds > 0:
            await self.settle()
            step = min(seconds, 2 * STEP)
            await self._jump(step, excused=False)
            seconds -= step
        await self.settle()

    # --- disturbances

    async def start_disturbance(self, disturbance: Disturbance) -> bool:
        """Begin a failure. Return False if it isn't possible now.

        The bot's tokens aren't revoked before each process has connected. A bot without rentals exits if its
        token is refused before that, which is correct but would end the episode.
        """
        if disturbance.path == TOKENS and not await self._has_connected():
            return False
        if disturbance.name == f"{LEAVER} leaves":
            return await self._leaves(disturbance)
        self.disturbances_met[disturbance.name] += 1
        if disturbance.machine is not None:
            return await self._disturb_a_machine(disturbance, disturbance.machine)
        if not disturbance.at_once:
            self.disturbances.append(disturbance)
        if disturbance.system is System.STORE:
            await self.store.disturb(disturbance.seconds)
        else:
            await self._server(disturbance).post(disturbance.path, disturbance.body)
        return True

    async def _has_connected(self) -> bool:
        healths = await self._healths()
        return len(healths) == len(self.replicas) and all(health.get("connections") for health in healths)

    async def _leaves(self, disturbance: Disturbance) -> bool:
        if self.left_at is not None:
            return False
        self.disturbances_met[disturbance.name] += 1
        # This person is about to leave the workspace, and can then read only direct messages. Collect now what
        # they have seen so far.
        self.seen_by_leaver = tuple(await self.sandbox.see(PEOPLE[LEAVER], versions=True))
        await self.sandbox.slack.patch(disturbance.path, disturbance.body)
        self.left_at = await self.sandbox.now()
        return True

    async def _disturb_a_machine(self, disturbance: Disturbance, pick: float) -> bool:
        alive = [machine for machine in (await self.sandbox.account()).resources if machine.alive]
        if not alive:
            return False
        resource_id, now = alive[int(pick * len(alive))].resource_id, await self.sandbox.now()
        await self.sandbox.compute.post(f"resources/{resource_id}/{disturbance.path}", disturbance.body)
        if disturbance.path == "vanish":
            self.reclaimed.add(resource_id)
        else:
            body = UseBody.model_validate(disturbance.body)
            phases = tuple(phase.phase() for phase in body.phases or ())
            self.uses.append(MachineUse(resource_id, Use(phases, now, body.repeat)))
        return True

    def _server(self, disturbance: Disturbance) -> Server:
        match disturbance.system:
            case System.SLACK:
                return self.sandbox.slack
            case System.GITHUB:
                return self.sandbox.github
        return self.sandbox.compute

    async def end_disturbances(self, path: str | None = None) -> None:
        """End all disturbances and remove all faults.

        With `path`, end only the disturbances that were started by the control call with this path.
        """
        if path is None:
            await self.sandbox.remove_faults()
        for disturbance in list(self.disturbances):
            if path in (None, disturbance.path):
                if disturbance.undo is not None:
                    await self._server(disturbance).post(disturbance.path, disturbance.undo)
                self.disturbances.remove(disturbance)

    async def faults_met(self) -> int:
        """Return the number of requests that met a fault so far."""
        return await self.sandbox.slack.fault_hits() + await self.sandbox.compute.fault_hits()

    async def last_change(self) -> int:
        """Return the number of the last change in Slack that anyone could see."""
        return await self.sandbox.last_change(ANA)


def _is_idle(health: dict[str, Any], revision: int) -> bool:
    """Return whether a process knows the sandbox's current time, and has nothing due or in progress.

    The time has a revision, which increases with each change of the sandbox's clock.
    """
    if not health or health["due_now"] or health["steps_in_flight"]:
        return False
    return int(health["clock"]["revision"]) >= revision


async def _join(sandbox: SandboxClient, user: str) -> None:
    """Reactivate a person who had left the sandbox's workspace, and add them to the channels."""
    await sandbox.slack.patch(f"people/{user}", {"deleted": False})
    channels: list[Json] = (await sandbox.slack.get("workspace"))["channels"]
    for channel in channels:
        if channel["id"] in {GPUS, TRAINING}:
            await sandbox.slack.patch(f"channels/{channel['id']}", {"members": [*channel["members"], user]})


@asynccontextmanager
async def open_world(folder: Path, store: Store, *, replicas: int = 1, seed: int = 1) -> AsyncIterator[World]:
    """Run a sandbox for the duration of the block.

    The bot gets `replicas` processes, which aren't started yet.
    """
    policy = folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    (folder / "tools.sh").write_text(SETUP, encoding="utf-8")
    options = ("--speed", "0", "--pace", "0", "--at", "2026-11-24T12:00:00Z", "--seed", str(seed))
    async with (
        run_sandbox(*options, log=folder / "sandbox.log") as addresses,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session,
    ):
        settings = {
            **environment(addresses, folder, admins=CLEO, channel=GPUS, http=f"127.0.0.1:{free_port()}"),
            "GPUBOT_DATABASE_URL": store.url,
            "GPUBOT_POLICY": str(policy),
            "GPUBOT_LOG": "json",
        }
        made = tuple(_replica(folder, settings, number) for number in range(1, replicas + 1))
        world = World(SandboxClient(addresses, session), session, store, made)
        await world.sandbox.github_keys(GITHUB_NAME, new_key(), new_key())
        await _join(world.sandbox, PEOPLE[LEAVER])
        try:
            yield world
        finally:
            for replica in world.replicas:
                if replica.bot is not None:
                    await stop(replica.bot.process)


def _replica(folder: Path, settings: dict[str, str], number: int) -> Replica:
    log = folder / f"bot-{number}.log"
    log.touch()
    return Replica({**settings, "GPUBOT_SOCKET": str(folder / f"gpubot-{number}.sock")}, log)
