"""How late polls are with many rentals provisioning, and how much memory the bot takes for them.

A poll is due when the bot's database says so, and is made when it arrives at the marketplace: both are read from
outside, so that everything between them counts.
"""

from __future__ import annotations

import asyncio
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figures import p99
from bench.measuring import seconds, wait
from bench.people import invite
from bench.rentals import buy, clock_of, seed
from bench.sizes import Size
from bench.worlds import BOT, World, running, world
from bot.demo.processes import NotRunning
from bot.model.base import Frozen
from bot.model.state import State

LOOK_EVERY = 1.0
"""Real seconds between two looks at what is due: many in the 15 s for which a due time stands."""
OWNERS = 200
CLOCKS_APART = timedelta(seconds=0.25)
"""By how much a poll may seem to be too early: the bot follows the sandbox's clock over HTTP."""
DUE = """
    select attempts.offer_id, rentals.due_at from rentals join attempts on attempts.rental_id = rentals.id
    where rentals.state = 'provisioning'
"""

Moments = Mapping[str, Sequence[datetime]]
"""For each offer, moments in order."""


class Polls(Frozen):
    """What was measured."""

    lateness: float
    """p99, real seconds."""
    memory: float
    """MB."""


async def measure(size: Size, folder: Path) -> Polls:
    """Lateness and memory. Raises NotRunning where polls are missing."""
    async with world(folder, "polls", speed=size.poll_speed) as place:
        owners, channel = await invite(place, min(OWNERS, size.provisioning))
        clock = await clock_of(place)
        bought = await buy(place, clock, size.provisioning)
        await seed(place, clock, bought, state=State.PROVISIONING, owners=owners, channel=channel)
        await place.keep_real_pace()
        async with running(place, BOT, place.settings(channel)) as bot:
            await wait(size.settle_seconds)
            since, _ = await place.outside.clock()
            due = await _watch_due(place.file, size.poll_seconds)
            polled = await _polled(place, since)
            memory = bot.memory()
    late = late_by(due, polled)
    if len(polled) < size.provisioning:
        raise NotRunning(f"{size.provisioning} rentals, but only {len(polled)} of them were polled.")
    return Polls(lateness=p99(late) / size.poll_speed, memory=memory)


async def _watch_due(file: Path, span: float) -> Moments:
    """Every due time that the bot's database held during real `span` seconds."""
    seen: dict[str, set[datetime]] = defaultdict(set)
    until = seconds() + span
    while seconds() < until:
        for offer_id, due_at in await asyncio.to_thread(_due_now, file):
            seen[offer_id].add(datetime.fromisoformat(due_at).replace(tzinfo=UTC))
        await wait(LOOK_EVERY)
    return {offer_id: sorted(moments) for offer_id, moments in seen.items()}


def _due_now(file: Path) -> Iterable[tuple[str, str]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(DUE).fetchall()


async def _polled(place: World, since: datetime) -> Moments:
    """When the marketplace was asked for each offer's status."""
    said = await place.outside.compute("GET", "traffic", endpoint="offer_status")
    asked: dict[str, list[datetime]] = defaultdict(list)
    for request in said["requests"]:
        at = datetime.fromisoformat(request["at"])
        if at >= since:
            asked[str(request["path"]).split("/")[2]].append(at)
    return asked


def late_by(due: Moments, polled: Moments) -> list[float]:
    """For every poll, the seconds since the due time that it answers: the last one that had come."""
    late = []
    for offer_id, moments in polled.items():
        known = due.get(offer_id, ())
        for at in moments:
            place = bisect_right(known, at + CLOCKS_APART)
            if place:
                late.append(max((at - known[place - 1]).total_seconds(), 0.0))
    return late
