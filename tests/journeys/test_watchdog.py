"""The real watchdog, after the bot was killed and its database deleted.

It warns, lists the running machines, and deletes exactly those that are overdue by two hours.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.watchdog.state import State
from demo.processes import private_log, stop
from sandbox.slack.default import GPUS
from tests.journeys.world import PEOPLE, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OURS = "0123456789abcdef" * 2


@dataclass
class Watchdog:
    """A running `gpubot watchdog`."""

    world: World
    process: asyncio.subprocess.Process

    def state(self) -> State:
        """Return the content of its state file."""
        return State.model_validate_json((self.world.folder / "watchdog.json").read_text(encoding="utf-8"))

    async def looks(self, span: timedelta = MINUTE) -> None:
        """Jump in time, and return once the watchdog has polled and has done what follows."""
        for step in (span, MINUTE):  # it starts the second poll once the first one is complete
            self.world.clock.jump(step.total_seconds())
            await self.until_looked(await self.world.now())

    async def until_looked(self, moment: datetime) -> None:
        """Wait until it has polled at this time."""
        async with asyncio.timeout(60):
            while (self.state().looked_at or datetime.min.replace(tzinfo=moment.tzinfo)) < moment:
                assert self.process.returncode is None
                await self.world.sandbox.clock()


@asynccontextmanager
async def watchdog(world: World, *options: str, **settings: str) -> AsyncIterator[Watchdog]:
    """Run the watchdog until the end of the block, in a folder that the bot doesn't know."""
    names = ("PATH", "HOME", "PYTHONPATH", "PYTHONWARNINGS", "COMPUTE_CLEAR_TOKEN", "COMPUTE_CLEAR_URL")
    inherited = {name: world.settings[name] for name in names if name in world.settings}
    environment = {
        **inherited,
        "GPUBOT_URL": f"http://{world.settings['GPUBOT_HTTP']}",
        "GPUBOT_MACHINES_TOKEN": OURS,
        "GPUBOT_ADMINS": PEOPLE["Cleo"],
        "GPUBOT_WATCHDOG_STATE": str(world.folder / "watchdog.json"),
        "GPUBOT_CLOCK_URL": world.settings["GPUBOT_CLOCK_URL"],
        "GPUBOT_LOG": "json",
        **settings,
    }
    with private_log(world.folder / "watchdog.log") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "watchdog", *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            cwd=world.folder,
        )
    try:
        now = await world.now()
        running = Watchdog(world, process)
        async with asyncio.timeout(60):
            while not (world.folder / "watchdog.json").exists():
                assert process.returncode is None
                await world.sandbox.clock()
        await running.until_looked(now)
        yield running
        assert await stop(process) == 0
    finally:
        await stop(process)


async def said(world: World) -> list[str]:
    """Return the texts of the watchdog's messages, as the admin sees them in the home channel."""
    seen = await world.sandbox.see(PEOPLE["Cleo"], channel=GPUS)
    texts = [message.text for message in seen if message.thread_ts is None]
    return [text for text in texts if text.startswith(("@Cleo This is", "This is", "gpubot"))]


async def lose(world: World) -> None:
    """Kill the bot and delete its database."""
    await world.kill()
    for ending in ("", "-wal", "-shm"):
        world.database.with_name(world.database.name + ending).unlink(missing_ok=True)


async def old_machine_with_owner(world: World) -> str:
    """Add a machine that is older than any lease, and make Ana its owner. Return the rental's ID."""
    await world.sandbox.add_machine("train-ana-3")
    await world.skips(60 * 24 * HOUR)
    await world.passes(10 * MINUTE)
    await world.clicks(
        "Cleo", await world.reads("Cleo", "A machine that wasn't rented through me is running"), "Assign an owner"
    )
    await world.confirms("Cleo")
    await world.play.settle()
    return await world.rental()


async def test_the_watchdog_deletes_exactly_the_overdue_machines(
    stopped_world: World,
) -> None:
    """The bot was killed, and its database deleted. The watchdog warns first."""
    world = stopped_world
    await world.start(GPUBOT_MACHINES_TOKEN=OURS)
    await world.sets_key()
    await world.sets_key("Ben")
    adopted = await old_machine_with_owner(world)
    await world.sandbox.add_machine("gpubot-x")
    short, long = await world.rents("Ana", "get H100 EU for 1h"), await world.rents("Ben", "get A100 for 12h")
    for rental in (short, long):
        await world.until_card(rental, "Ready")
    machines = {machine.name: machine.resource_id for machine in await world.alive()}
    assert len(machines) == 4

    async with watchdog(world, "--destroy", GPUBOT_WATCHDOG_WEBHOOK=world.slack.webhook_url) as running:
        ends = {machine.rental_id: machine.ends_at for machine in running.state().machines}
        assert ends.keys() == {adopted, short, long}
        short_end, long_end = ends[short], ends[long]
        assert short_end is not None
        assert long_end is not None
        await lose(world)
        await running.looks(12 * MINUTE)
        (hello,) = await said(world)
        assert hello.startswith("This is gpubot's watchdog. I'm now watching gpubot from")
        await running.looks(3 * MINUTE)
        _, warning = await said(world)
        before_end = warning.partition("Machines that haven't reached their end:")[2]
        for words in (f"({short}), Ana", f"({long}), Ben", f"({adopted}), Ana"):
            assert words in before_end
        assert "gpubot-x" in before_end.partition("I'll never delete them:")[2]
        assert "4 machines are running" in warning
        await running.looks(short_end + HOUR - await world.now())
        assert len(await said(world)) == 3
        assert f"({short}) (" in (await said(world))[2]
        assert long not in (await said(world))[2]
        await running.looks(57 * MINUTE)
        assert len(await world.alive()) == 4
        await running.looks(4 * MINUTE)
    async with watchdog(world, "--destroy", GPUBOT_WATCHDOG_WEBHOOK=world.slack.webhook_url) as running:
        await running.looks(9 * HOUR)
        deleted = {name for name in machines if short in name}
        assert {machine.name for machine in await world.alive()} == machines.keys() - deleted
        await running.looks(long_end + 2 * HOUR - await world.now())
        await running.looks(HOUR + 2 * MINUTE)
        await running.looks()  # the vendor takes up to 45 s
        deleted |= {name for name in machines if long in name}
        assert {machine.name for machine in await world.alive()} == machines.keys() - deleted
        assert len(deleted) == 2
        await world.start(GPUBOT_MACHINES_TOKEN=OURS, GPUBOT_HTTP=world.settings["GPUBOT_HTTP"])
        await running.looks()
    texts = await said(world)
    assert texts[-1].endswith("Its watchdog deleted 2 machines in the meantime, and won't delete any more.")
    assert [text.startswith("gpubot's watchdog has deleted a machine: ") for text in texts].count(True) == 2
    pings = [ping for ping in await world.sandbox.pings(PEOPLE["Cleo"]) if ping.channel == GPUS]
    assert len(pings) == 1
