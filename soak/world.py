"""The sandbox, the bot in it, and the time that passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh

from bot.clock import SystemClock
from bot.demo.processes import Bot, NotRunning, environment, free_port, run_sandbox, start_bot, stop
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


class Finding(NotRunning):
    """A condition that must hold did not."""


@dataclass
class World:
    """The sandbox, the bot, and the record of one episode."""

    sandbox: SandboxClient
    session: aiohttp.ClientSession
    store: Store
    settings: dict[str, str]
    log: Path
    bot: Bot | None = None
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
    put_back_at: datetime | None = None
    """When the database was replaced by an older copy."""
    left_at: datetime | None = None
    """When `LEAVER` left the workspace."""
    seen_by_leaver: tuple[SeenMessage, ...] = ()
    """What that person saw until then."""
    modals: list[tuple[str, str]] = field(default_factory=list)
    """The name of the person who saw a modal, and its text."""
    health: dict[str, Any] = field(default_factory=dict)
    """The newest /health."""

    # --- the process

    async def start(self) -> None:
        """Start the bot. Raise Finding if it does not start, whatever disturbances are in force."""
        self.settings["GPUBOT_HTTP"] = f"127.0.0.1:{free_port()}"
        try:
            self.bot = await start_bot(self.settings, self.log, connections=0)
        except (NotRunning, TimeoutError) as error:
            raise Finding(f"gpubot run did not start: {str(error)[-TAIL:]}") from error

    async def connected(self, seconds: float) -> bool:
        """Wait up to `seconds` of real time for two connections to Slack. Return whether there are."""
        return len((await self.sandbox.sockets(least=2, wait=seconds)).names) >= 2

    async def kill(self, *, graceful: bool) -> None:
        """End the bot with SIGKILL, or with SIGTERM if `graceful`. Raise Finding if it ended before, or ends with
        an error."""
        bot = self.running()
        await self.read_health()
        if graceful:
            status = await stop(bot.process)
            if status != 0:
                raise Finding(f"After SIGTERM, gpubot run ended with status {status}: {self._tail()}")
            self.graceful_stops += 1
        else:
            bot.kill()
            await bot.process.wait()
        self.bot = None

    def running(self) -> Bot:
        """Return the bot. Raise Finding if it has ended on its own."""
        if self.bot is None or self.bot.process.returncode is not None:
            status = self.bot.process.returncode if self.bot else None
            raise Finding(f"gpubot run ended on its own, with status {status}: {self._tail()}")
        return self.bot

    def _tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-TAIL:]

    async def read_health(self, **query: str) -> dict[str, Any]:
        """Return /health, or an empty dict if it doesn't answer."""
        if self.bot is None:
            return {}
        timeout = aiohttp.ClientTimeout(total=float(query.get("wait", 2)) + 5)
        try:
            async with self.session.get(self.bot.health, params=query, timeout=timeout) as response:
                self.health = dict(await response.json())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return {}
        return self.health

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
        while self.bot is not None and waited < CATCH_UP:
            health = await self.read_health()
            idle = health and not health["due_now"] and not health["steps_in_flight"]
            if idle and await self._has_current_time(health):
                return True
            await clock.pause(HEALTH_EVERY)
            waited += HEALTH_EVERY
        return False

    async def _has_current_time(self, health: dict[str, Any]) -> bool:
        return int(health["clock"]["revision"]) >= (await self.sandbox.clock()).revision

    async def settle(self) -> None:
        """Wait until the bot has nothing left to do. Raise Finding if it does not settle."""
        self.running()
        revision = (await self.sandbox.clock()).revision
        health: dict[str, Any] = {}
        waited, clock = 0.0, SystemClock()
        while waited < SETTLE:
            health = await self.read_health(settled=str(revision), wait="15") or health
            if health.get("settled"):
                return
            self.running()
            waited += 15 if health else 1
            await clock.pause(0.1)
        raise Finding(f"It doesn't settle within {SETTLE:.0f} s: {health}")

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
        """Begin a failure. Return False if it is not possible now: no token is revoked before the bot has
        connected, because a bot without rentals would then end, as it should."""
        if disturbance.path == TOKENS and not (await self.read_health()).get("connections"):
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
        call."""
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


async def _join(sandbox: SandboxClient, user: str) -> None:
    """Let a person who left the sandbox's workspace come back, and join channels."""
    await sandbox.slack.patch(f"people/{user}", {"deleted": False})
    channels: list[Json] = (await sandbox.slack.get("workspace"))["channels"]
    for channel in channels:
        if channel["id"] in {GPUS, TRAINING}:
            await sandbox.slack.patch(f"channels/{channel['id']}", {"members": [*channel["members"], user]})


@asynccontextmanager
async def open_world(folder: Path, store: Store) -> AsyncIterator[World]:
    """Run a sandbox, with a bot that isn't started yet, until the end of the block."""
    policy = folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    (folder / "tools.sh").write_text(SETUP, encoding="utf-8")
    log = folder / "bot.log"
    log.touch()
    options = ("--speed", "0", "--pace", "0", "--at", "2026-11-24T12:00:00Z")
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
        world = World(SandboxClient(addresses, session), session, store, settings, log)
        await world.sandbox.github_keys(GITHUB_NAME, new_key(), new_key())
        await _join(world.sandbox, PEOPLE[LEAVER])
        try:
            yield world
        finally:
            if world.bot is not None:
                await stop(world.bot.process)
