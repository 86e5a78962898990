"""The sandbox, the bot in it, and the time that passes: everything that an episode happens in."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import SystemClock
from bot.demo.outside import Outside
from bot.demo.processes import Bot, NotRunning, environment, free_port, sandbox, start_bot, stop
from sandbox.slack.default import ANA, BEN, CLEO, GPUS, GUS, OLGA
from soak.databases import Store
from soak.evidence import Deed, Life, Span
from soak.weather import Side, Weather

PEOPLE = {"Ana": ANA, "Ben": BEN, "Cleo": CLEO, "Gus": GUS, "Olga": OLGA}
POLICY = """\
approvers: {groups: [S0APPROVE]}
approvals_channel: C0APPROVE
approval: {expires: 1h}
limits: {per_person_rentals: 8, team_per_hour: 2000.00}
lease: {default: 1h, max: 3h, notices: [30m, 20m], grace: 10m}
check_in: {after: 25m}
procure: {provision_timeout: 10m}
"""
GRACE = timedelta(minutes=10)
STEP = 60.0
"""The longest jump of the clock, in seconds: what is due is never late by more than that because of us."""
CATCH_UP = 0.7
"""Real seconds that the bot has after each jump, while people act."""
REST = 75.0
"""Real seconds within which everything comes to rest once nothing goes wrong any more."""
LOOK_AGAIN = 0.03
TAIL = 3000


class Finding(NotRunning):
    """Something that must hold didn't."""


@dataclass
class World:
    """One episode's outside, bot and journal."""

    outside: Outside
    session: aiohttp.ClientSession
    store: Store
    settings: dict[str, str]
    log: Path
    bot: Bot | None = None
    deeds: list[Deed] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    weather: list[Weather] = field(default_factory=list)
    """What goes wrong now."""
    met: Counter[str] = field(default_factory=Counter)
    """What went wrong so far, by name."""
    taken_back: set[str] = field(default_factory=set)
    """The ids of the resources that their vendor took back."""
    modals: list[tuple[str, str]] = field(default_factory=list)
    """Who saw a dialog, and what it said."""
    health: dict[str, Any] = field(default_factory=dict)
    """The newest /health."""

    # --- the process

    async def start(self) -> None:
        """Starts the bot, whatever the weather. Raises Finding if it doesn't come up."""
        self.settings["GPUBOT_HTTP"] = f"127.0.0.1:{free_port()}"
        try:
            self.bot = await start_bot(self.settings, self.log, connections=0)
        except (NotRunning, TimeoutError) as error:
            raise Finding(f"gpubot run did not start: {str(error)[-TAIL:]}") from error

    async def connected(self, seconds: float) -> bool:
        """Whether the bot has connections to Slack within so many real seconds."""
        said = await self.outside.slack("GET", "sockets", least=2, wait=seconds)
        return len(said["sockets"]) >= 2

    async def kill(self, *, gently: bool) -> None:
        """Ends it by SIGKILL, or by SIGTERM. Raises Finding if it ended before, or badly."""
        bot = self.running()
        await self.look()
        if gently:
            status = await stop(bot.process)
            if status != 0:
                raise Finding(f"Told to stop, gpubot run ended with status {status}: {self._tail()}")
        else:
            bot.kill()
            await bot.process.wait()
        self.lives.append(Life(gently=gently))
        self.bot = None

    def running(self) -> Bot:
        """The bot. Raises Finding if it has ended on its own."""
        if self.bot is None or self.bot.process.returncode is not None:
            status = self.bot.process.returncode if self.bot else None
            raise Finding(f"gpubot run ended on its own, with status {status}: {self._tail()}")
        return self.bot

    def _tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-TAIL:]

    async def look(self, **query: str) -> dict[str, Any]:
        """What /health says; empty if it doesn't answer."""
        if self.bot is None:
            return {}
        try:
            async with self.session.get(
                self.bot.health, params=query, timeout=aiohttp.ClientTimeout(total=float(query.get("wait", 2)) + 5)
            ) as answer:
                self.health = dict(await answer.json())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return {}
        return self.health

    # --- time

    async def passes(self, seconds: float) -> None:
        """Lets sandbox time pass in short steps, each once the bot has done what was due."""
        while seconds > 0:
            step = min(seconds, STEP)
            caught_up = await self._caught_up()
            await self._jump(step, excused=not caught_up or self._market_is_off())
            seconds -= step

    async def _jump(self, seconds: float, *, excused: bool) -> None:
        now, _ = await self.outside.clock()
        await self.outside.jump_to(now + timedelta(seconds=seconds))
        self.spans.append(Span(start=now, end=now + timedelta(seconds=seconds), excused=excused))

    def _market_is_off(self) -> bool:
        """Whether deleting may be impossible."""
        return any(one.side is not Side.SLACK for one in self.weather)

    async def _caught_up(self) -> bool:
        clock, waited = SystemClock(), 0.0
        while self.bot is not None and waited < CATCH_UP:
            said = await self.look()
            if said and not said["due_now"] and not said["steps_in_flight"] and await self._sees_now(said):
                return True
            await clock.pause(LOOK_AGAIN)
            waited += LOOK_AGAIN
        return False

    async def _sees_now(self, said: dict[str, Any]) -> bool:
        _, revision = await self.outside.clock()
        return int(said["clock"]["revision"]) >= revision

    async def settles(self) -> None:
        """Waits until the bot has nothing to do. Raises Finding if it always has."""
        self.running()
        _, revision = await self.outside.clock()
        said: dict[str, Any] = {}
        waited, clock = 0.0, SystemClock()
        while waited < REST:
            said = await self.look(settled=str(revision), wait="15") or said
            if said.get("settled"):
                return
            self.running()
            waited += 15 if said else 1
            await clock.pause(0.1)
        raise Finding(f"It doesn't come to rest within {REST:.0f} s: {said}")

    async def rests(self, seconds: float) -> None:
        """Lets sandbox time pass in steps of two minutes, each once nothing is left to do. Raises Finding."""
        while seconds > 0:
            await self.settles()
            step = min(seconds, 2 * STEP)
            await self._jump(step, excused=False)
            seconds -= step
        await self.settles()

    # --- what goes wrong

    async def begins(self, one: Weather) -> None:
        """Something goes wrong from now on."""
        self.met[one.name] += 1
        if one.side is Side.STORE:
            self.weather.append(one)
            await self.store.disturb(one.seconds)
            return
        if one.vanishes is not None:
            await self._vanishes(one, one.vanishes)
            return
        self.weather.append(one)
        await self._control(one, one.body)

    async def _vanishes(self, one: Weather, pick: float) -> None:
        alive = [machine for machine in (await self.outside.account())["resources"] if machine["alive"]]
        if alive:
            resource = alive[int(pick * len(alive))]["resource_id"]
            await self.outside.compute("POST", f"resources/{resource}/vanish", one.body)
            self.taken_back.add(resource)

    async def _control(self, one: Weather, body: dict[str, Any]) -> None:
        call = self.outside.slack if one.side is Side.SLACK else self.outside.compute
        await call("POST", one.path, body)

    async def clears(self) -> None:
        """Nothing goes wrong any more."""
        await self.outside.slack("DELETE", "faults")
        await self.outside.compute("DELETE", "faults")
        for one in self.weather:
            if one.undo is not None:
                await self._control(one, one.undo)
        self.weather.clear()

    async def faults_met(self) -> int:
        """How many requests met a fault so far."""
        every = [(await call("GET", "faults"))["faults"] for call in (self.outside.slack, self.outside.compute)]
        return sum(int(fault["hits"]) for faults in every for fault in faults)

    # --- what people see

    async def last(self) -> int:
        """The number of the newest change that anyone could see."""
        return int((await self.outside.slack("GET", "see", user=ANA, after=10**9))["last"])

    async def now(self) -> datetime:
        """Sandbox time."""
        return (await self.outside.clock())[0]


@asynccontextmanager
async def opened(folder: Path, store: Store) -> AsyncIterator[World]:
    """A sandbox, and a bot that isn't started yet, until the end of the block."""
    policy = folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    log = folder / "bot.log"
    log.touch()
    options = ("--speed", "0", "--pace", "0", "--at", "2026-11-24T12:00:00Z")
    async with (
        sandbox(*options, log=folder / "sandbox.log") as ready,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session,
    ):
        settings = {
            **environment(ready, folder, admins=CLEO, channel=GPUS, http=f"127.0.0.1:{free_port()}"),
            "GPUBOT_DATABASE_URL": store.url,
            "GPUBOT_POLICY": str(policy),
            "GPUBOT_LOG": "json",
        }
        world = World(Outside(ready, session), session, store, settings, log)
        try:
            yield world
        finally:
            if world.bot is not None:
                await stop(world.bot.process)
