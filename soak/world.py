"""The sandbox, the bot in it, and the time that passes."""

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
"""The longest jump of the clock, in seconds: a jump makes nothing that is due later than that."""
CATCH_UP = 0.7
"""Real seconds that the bot gets to catch up after each jump, while people act."""
SETTLE = 75.0
"""Real seconds within which the bot must settle once nothing fails any more."""
HEALTH_EVERY = 0.03
TAIL = 3000


def new_key() -> str:
    """Return the line of a new public key."""
    return asyncssh.generate_private_key("ssh-ed25519", comment="soak@laptop").export_public_key().decode().strip()


async def delivers(session: aiohttp.ClientSession, bot: Bot) -> bool:
    """Return whether this process brings the outbox to Slack now, as its /health says."""
    try:
        async with session.get(bot.health) as answer:
            return bool((await answer.json())["delivering"])
    except aiohttp.ClientError:
        return False


class Finding(NotRunning):
    """A condition that must hold did not."""


@dataclass
class Replica:
    """One process of the bot, which is started again after each kill."""

    settings: dict[str, str]
    log: Path
    bot: Bot | None = None
    """None while it does not run."""
    stands_still: bool = False
    """Whether it is stopped by SIGSTOP."""

    @property
    def answers(self) -> bool:
        """Whether it runs and does not stand still."""
        return self.bot is not None and not self.stands_still

    def running(self) -> Bot:
        """Return the process. Raise Finding if it has ended on its own."""
        if self.bot is None or self.bot.process.returncode is not None:
            status = self.bot.process.returncode if self.bot else None
            raise Finding(f"gpubot run ended on its own, with status {status}: {self.tail()}")
        return self.bot

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the process stand still until the end of the block."""
        self.stands_still = True
        try:
            with self.running().stopped():
                yield
        finally:
            self.stands_still = False

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-TAIL:]


@dataclass
class World:
    """The sandbox, the bot, and the record of one episode."""

    sandbox: SandboxClient
    session: aiohttp.ClientSession
    store: Store
    replicas: tuple[Replica, ...]
    """One process, or several that share the database."""
    actions: list[PerformedAction] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    graceful_stops: int = 0
    disturbances: list[Disturbance] = field(default_factory=list)
    """The disturbances in force now."""
    disturbances_met: Counter[str] = field(default_factory=Counter)
    """How often each disturbance began, by name."""
    taken_back: set[str] = field(default_factory=set)
    """The ids of the resources that their vendor took back."""
    uses: list[MachineUse] = field(default_factory=list)
    """How machines were used, the oldest first."""
    restored_at: datetime | None = None
    """When the database was replaced by an older copy."""
    calm_since: datetime | None = None
    """The time since which nothing has been disturbed. None if something is."""
    left_at: datetime | None = None
    """When `LEAVER` left the workspace."""
    seen_by_leaver: tuple[SeenMessage, ...] = ()
    """What that person saw until then."""
    modals: list[tuple[str, str]] = field(default_factory=list)
    """The name of the person who saw a modal, and its text."""
    health: dict[str, Any] = field(default_factory=dict)
    """The newest /health."""

    # --- the processes

    async def start(self) -> None:
        """Start each process that does not run. Raise Finding if one does not start, whatever disturbances are in
        force.
        """
        starts = (self._start(replica) for replica in self.replicas if replica.bot is None)
        # Wait for all of them also if one fails: a process that nobody waits for would be left.
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
        """Wait up to `seconds` of real time for two connections to Slack of each process. Return whether there
        are.
        """
        least = 2 * len(self.replicas)
        return len((await self.sandbox.sockets(least=least, wait=seconds)).names) >= least

    async def kill(self, *, graceful: bool, only: Replica | None = None) -> None:
        """End every process, or `only` one, with SIGKILL, or with SIGTERM if `graceful`. Raise Finding if one has
        ended on its own, or ends with an error.
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
        if replica.bot is None or replica.stands_still:
            return {}
        timeout = aiohttp.ClientTimeout(total=float(query.get("wait", 2)) + 5)
        try:
            async with self.session.get(replica.bot.health, params=query, timeout=timeout) as response:
                return dict(await response.json())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return {}

    async def _healths(self, **query: str) -> list[dict[str, Any]]:
        """Return the /health of each process that runs and does not stand still; an empty dict if it gave none."""
        answering = [replica for replica in self.replicas if replica.answers]
        return await asyncio.gather(*(self._health_of(replica, **query) for replica in answering))

    # --- time

    async def pass_time(self, seconds: float) -> None:
        """Let sandbox time pass in short steps. Before each, give the bot `CATCH_UP` seconds to catch up."""
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
        """Return whether the market may refuse or lose a deletion."""
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
        """Wait until the bot has nothing left to do. Raise Finding if it does not settle."""
        revision = (await self.sandbox.clock()).revision
        clock = SystemClock()
        until = clock.monotonic() + SETTLE
        healths: list[dict[str, Any]] = []
        while clock.monotonic() < until:
            for replica in self.replicas:
                replica.running()
            healths = await self._healths(settled=str(revision), wait="15")
            # One process may have begun something after another one had settled. So look at all of them again.
            if all(health.get("settled") for health in [*healths, *await self._healths()]):
                return
            await clock.pause(0.1)
        raise Finding(f"It doesn't settle within {SETTLE:.0f} s: {healths}")

    async def pass_time_settled(self, seconds: float) -> None:
        """Let sandbox time pass in steps of two minutes, and settle before each and at the end. Raise Finding."""
        while seconds > 0:
            await self.settle()
            step = min(seconds, 2 * STEP)
            await self._jump(step, excused=False)
            seconds -= step
        await self.settle()

    # --- disturbances

    async def start_disturbance(self, disturbance: Disturbance) -> bool:
        """Begin a failure. Return False if it is not possible now: no token is revoked before each process has
        connected, because a bot without rentals would then end, as it should.
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
        # A person who left reads only direct messages. So read now what they saw.
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
            self.taken_back.add(resource_id)
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
        """End all disturbances and remove all faults. With `path`, end only the disturbances of that control
        call.
        """
        if path is None:
            await self.sandbox.remove_faults()
        for disturbance in list(self.disturbances):
            if path in (None, disturbance.path):
                if disturbance.undo is not None:
                    await self._server(disturbance).post(disturbance.path, disturbance.undo)
                self.disturbances.remove(disturbance)

    async def faults_met(self) -> int:
        """Return how many requests met a fault so far."""
        return await self.sandbox.slack.fault_hits() + await self.sandbox.compute.fault_hits()

    async def last_change(self) -> int:
        """Return the number of the newest change that anyone could see."""
        return await self.sandbox.last_change(ANA)


def _is_idle(health: dict[str, Any], revision: int) -> bool:
    """Return whether a process has the sandbox's time of that revision, and nothing is due."""
    if not health or health["due_now"] or health["steps_in_flight"]:
        return False
    return int(health["clock"]["revision"]) >= revision


async def _join(sandbox: SandboxClient, user: str) -> None:
    """Let a person who left the sandbox's workspace come back, and join channels."""
    await sandbox.slack.patch(f"people/{user}", {"deleted": False})
    channels: list[Json] = (await sandbox.slack.get("workspace"))["channels"]
    for channel in channels:
        if channel["id"] in {GPUS, TRAINING}:
            await sandbox.slack.patch(f"channels/{channel['id']}", {"members": [*channel["members"], user]})


@asynccontextmanager
async def open_world(folder: Path, store: Store, *, replicas: int = 1, seed: int = 1) -> AsyncIterator[World]:
    """Run a sandbox, with a bot of that many processes that aren't started yet, until the end of the block."""
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
