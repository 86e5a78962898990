"""Measures the pause in message delivery after the replica that delivers messages is killed.

Two `gpubot run` processes share a PostgreSQL database. Every second, two machines become due, and the bot asks
their owners whether the machines are still needed. Then the replica whose metric `gpubot_delivering` is 1 is
killed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from bench.figures import Figure, checked, figure
from bench.people import invite
from bench.rentals import buy, clock_of, seed
from bench.sizes import Size
from bench.timing import idle_machine, seconds, wait
from bench.worlds import BOT, CONNECTIONS, App, World, open_world, running
from bot.lifecycle.loops.due import CLAIM_SECONDS
from bot.model.state import State
from demo.processes import NotRunning, free_port
from soak.databases import POSTGRES, databases

EVERY = timedelta(seconds=0.5)
DELIVERING = "gpubot_delivering"
POST = "chat.postMessage"
LONGEST = 25.0
"""The maximum wall-clock seconds that the sandbox waits for a request in one call."""
WAITS = 3
_PLAN = """
    UPDATE rentals SET due_at = $1::timestamptz + $2::interval * planned.number
    FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM rentals) AS planned
    WHERE rentals.id = planned.id
"""


async def measure(size: Size, folder: Path) -> Figure:
    """Measure `takeover`: the wall-clock seconds from the kill to the next message.

    Raises NotRunning if the two replicas don't run side by side, if not exactly one of them delivers messages, or
    if no message arrives after the kill.
    """
    async with databases({POSTGRES}) as new, open_world(folder, "takeover") as sandbox:
        world = replace(sandbox, postgres=(await new.new(POSTGRES, folder)).url)
        owners, channel = await invite(world, size.questions)
        clock = await clock_of(world)
        bought = await buy(world, clock, size.questions)
        await seed(world, clock, bought, state=State.READY, owners=owners, channel=channel)
        start = await world.sandbox.now() + timedelta(seconds=2 * size.lead_seconds)
        await _plan(world.database, start)
        async with (
            idle_machine() as machine,
            _replica(world, channel, 1) as one,
            _replica(world, channel, 2) as two,
        ):
            await wait(max((start - await world.sandbox.now()).total_seconds(), 0) + size.before_kill)
            took = await _next_message(world, await _delivering([one, two]))
        return checked(figure("takeover", took, "s"), machine.doubt)


async def _plan(database: str, start: datetime) -> None:
    """Set the times at which the machines become due, one after the other."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(_PLAN, start, EVERY)
    finally:
        await connection.close()


@asynccontextmanager
async def _replica(world: World, channel: str, number: int) -> AsyncIterator[tuple[World, App]]:
    """Run a replica, and yield it with its world, which has its own port for /health and /metrics."""
    own = replace(world, http=f"127.0.0.1:{free_port()}")
    settings = {
        **own.settings(channel),
        "GPUBOT_SOCKET": str(world.folder / f"gpubot-{number}.sock"),
        # A claim is a process's exclusive right to work on a row, and it ends after this time. Set the time that
        # is used in production. A bot that follows the sandbox's clock uses a shorter one by default.
        "GPUBOT_CLAIM_SECONDS": str(CLAIM_SECONDS),
    }
    async with running(own, BOT, settings, connections=number * CONNECTIONS) as app:
        yield own, app


async def _delivering(replicas: list[tuple[World, App]]) -> App:
    delivering = [app for own, app in replicas if await own.metric(DELIVERING) == 1]
    if len(delivering) != 1:
        raise NotRunning(f"{len(delivering)} replicas deliver messages, not one.")
    return delivering[0]


async def _next_message(world: World, app: App) -> float:
    """Kill a replica. Return the wall-clock seconds until Slack gets the next message."""
    await app.kill()
    killed = seconds()
    last = int((await world.sandbox.slack.get("traffic", after=10**9))["last"])
    for _ in range(WAITS):
        if await world.sandbox.slack.traffic(endpoint=POST, after=last, wait=LONGEST):
            return seconds() - killed
    raise NotRunning("No message comes after a replica was killed.")
