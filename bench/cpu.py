"""Measures the baselines of `polls_per_cpu_second`.

These are the status polls per CPU second of the peer (`bench.peer`), and of a loop that only calls the bot's
market client.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from bench.crowd import Counts, Crowd, gather
from bench.late import OWNERS, PEER, PEER_CONNECTIONS
from bench.people import invite
from bench.polls import polled_since
from bench.rentals import SPREAD, clock_of, market_of
from bench.sizes import Size
from bench.timing import cpu_ms, seconds, wait
from bench.worlds import open_world, running
from bot.lifecycle.loops.engine import AT_ONCE


class Baselines(NamedTuple):
    """The polls per CPU second of both baselines."""

    bare: float
    peer: float


async def measure(size: Size, folder: Path) -> Baselines:
    """Measure both baselines.

    There are `size.provisioning` rentals in provisioning, a ready rental that is probed, and a ready rental that
    isn't.
    """
    async with open_world(folder, "cpu", speed=size.poll_speed) as world:
        owners, channel = await invite(world, min(OWNERS, size.provisioning))
        crowd = await gather(world, owners, channel)
        counts = Counts(size.provisioning, probed=1, ready=1)
        await crowd.grow(counts)
        return Baselines(await _bare(size, crowd, counts), await _peer(size, crowd, counts, channel))


async def _bare(size: Size, crowd: Crowd, counts: Counts) -> float:
    """Poll in this process, with the same number of concurrent polls as the bot."""
    offers = cycle(crowd.live("provisioning", counts))
    polls = 0
    async with market_of(crowd.world, await clock_of(crowd.world)) as market:

        async def poll_until(moment: float) -> None:
            nonlocal polls
            while seconds() < moment:
                await market.progress(next(offers).offer_id)
                polls += 1

        await market.progress(next(offers).offer_id)
        before, until = cpu_ms(), seconds() + size.bare_seconds
        await asyncio.gather(*(poll_until(until) for _ in range(AT_ONCE)))
        return polls / (cpu_ms() - before) * 1000


async def _peer(size: Size, crowd: Crowd, counts: Counts, channel: str) -> float:
    world = crowd.world
    start = await world.sandbox.now() + timedelta(seconds=size.lead_seconds * size.poll_speed)
    await crowd.write_for_peer(counts, start)
    async with running(world, PEER, world.settings(channel), connections=PEER_CONNECTIONS) as peer:
        # Skip the first round of polls of the peer, the program to which the bot is compared. In this round, the
        # peer opens its connections. The first round is skipped for the bot as well.
        left = (start + SPREAD - await world.sandbox.now()).total_seconds() / size.poll_speed
        await wait(max(left, 0.0))
        since, before = await world.sandbox.now(), peer.cpu_seconds()
        await wait(size.poll_seconds)
        used = peer.cpu_seconds() - before
        polled = await polled_since(world, since)
    return sum(map(len, polled.values())) / used
