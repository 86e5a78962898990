"""Measures how late polls are with many rentals in provisioning, and how much CPU and memory the bot uses.

Some measurements have only these rentals; others also have many probed machines. The lateness of a poll
is the time from its due time, which is read from the bot's database, until its request in the sandbox's traffic
log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from bench.figures import p99
from bench.people import invite
from bench.probed import seed_probed
from bench.rentals import buy, clock_of, seed
from bench.sizes import Size
from bench.timing import seconds, wait
from bench.worlds import BOT, World, open_world, running
from bot.model.base import Frozen
from bot.model.state import State
from demo.processes import NotRunning

READ_EVERY = 1.0
"""Wall-clock seconds between two reads of the due times. A due time changes only every 15 s, so none is missed."""
OWNERS = 200
CLOCKS_APART = timedelta(seconds=0.25)
"""The time by which a poll may seem to come before its due time.

The bot follows the sandbox's clock over HTTP, so the two clocks differ slightly.
"""
DUE = """
    select attempts.offer_id, rentals.due_at from rentals join attempts on attempts.rental_id = rentals.id
    where rentals.state = 'provisioning'
"""
ANSWERED = "select count(distinct rental_id) from samples where missed is null"
PROBE_RUNS_PER_SECOND = 5
"""The minimum number of probe runs per wall-clock second. The bot normally makes 10."""

Times = Mapping[str, Sequence[datetime]]
"""Times by offer id, in ascending order."""


class Polls(Frozen):
    """The measured figures."""

    lateness: float
    """The 99th percentile of the lateness, in wall-clock seconds."""
    memory: float
    """The bot's memory in MB."""
    per_cpu_second: float
    """Polls per CPU second of the bot's whole process."""


async def measure(
    size: Size, folder: Path, *, provisioning: int, probed: int = 0, postgres: str | None = None
) -> Polls:
    """Measure polls with a number of rentals in provisioning.

    Raises NotRunning if a rental wasn't polled, or if too few machines were probed.

    Args:
        size: The sizes of the bench.
        folder: The folder for the database and the logs.
        provisioning: The number of rentals in provisioning.
        probed: The number of further rentals whose machines are probed.
        postgres: The URL of a PostgreSQL database. SQLite is used if it is None.
    """
    name = f"polls-{'postgres' if postgres else 'sqlite'}-{provisioning}-{probed}"
    async with open_world(folder, name, speed=size.poll_speed, postgres=postgres) as world:
        owners, channel = await invite(world, min(OWNERS, provisioning))
        clock = await clock_of(world)
        if probed:
            await seed_probed(world, clock, probed, owners=owners, channel=channel)
        bought = await buy(world, clock, provisioning)
        await seed(world, clock, bought, state=State.PROVISIONING, owners=owners, channel=channel)
        await world.switch_on_rate_limits()
        async with running(world, BOT, world.settings(channel)) as bot:
            await wait(size.first_round_seconds)
            since, cpu_before = await world.sandbox.now(), bot.cpu_seconds()
            due = await watch_due(world, size.poll_seconds)
            cpu, memory = bot.cpu_seconds() - cpu_before, bot.memory()
            polled = await polled_since(world, since)
        answered = await asyncio.to_thread(_answered, world.file) if probed else 0
    late = late_by(due, polled)
    if len(polled) < provisioning:
        raise NotRunning(f"{provisioning} rentals, but only {len(polled)} of them were polled.")
    if answered < min(probed, PROBE_RUNS_PER_SECOND * size.poll_seconds):
        raise NotRunning(f"{probed} machines, but only {answered} of them answered a probe run.")
    polls = sum(map(len, polled.values()))
    return Polls(lateness=p99(late) / size.poll_speed, memory=memory, per_cpu_second=polls / cpu)


def _answered(file: Path) -> int:
    """Return the number of machines with at least one successful probe run."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return int(connection.execute(ANSWERED).fetchone()[0])


async def watch_due(world: World, span: float) -> Times:
    """Return every due time that was in the bot's database during `span` wall-clock seconds."""
    seen: dict[str, set[datetime]] = defaultdict(set)
    until = seconds() + span
    while seconds() < until:
        for offer_id, due_at in await _due_now(world):
            seen[offer_id].add(due_at)
        await wait(READ_EVERY)
    return {offer_id: sorted(moments) for offer_id, moments in seen.items()}


async def _due_now(world: World) -> list[tuple[str, datetime]]:
    if world.postgres is None:
        rows = await asyncio.to_thread(_due_in_file, world.file)
        return [(offer_id, datetime.fromisoformat(due_at).replace(tzinfo=UTC)) for offer_id, due_at in rows]
    connection = await asyncpg.connect(world.postgres)
    try:
        return [(row["offer_id"], row["due_at"]) for row in await connection.fetch(DUE)]
    finally:
        await connection.close()


def _due_in_file(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(DUE).fetchall()


async def polled_since(world: World, since: datetime) -> Times:
    """Return the times at which the status of each offer was requested."""
    polled: dict[str, list[datetime]] = defaultdict(list)
    for request in await world.sandbox.compute.traffic(endpoint="offer_status"):
        if request.at >= since:
            polled[request.path.split("/")[2]].append(request.at)
    return polled


def late_by(due: Times, polled: Times) -> list[float]:
    """Return the lateness of each poll in seconds.

    The due time of a poll is the latest due time before the poll.
    """
    late = []
    for offer_id, moments in polled.items():
        known = due.get(offer_id, ())
        for at in moments:
            index = bisect_right(known, at + CLOCKS_APART)
            if index:
                late.append(max((at - known[index - 1]).total_seconds(), 0.0))
    return late
