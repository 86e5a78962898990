"""Measures how late status polls are with up to 10,000 live rentals, and how soon an app polls again after a kill.

Both the bot and the peer (`bench.peer`) are measured. They run one after the other, and poll the same offers of
one sandbox, starting at the same planned times. The lateness of a poll is the time from its planned time until its
request in the sandbox's traffic log. The bot's planned times are read from its database. The peer polls at a fixed
interval, from which its planned times follow. If a poll is still missing at the end of a run, its lateness at that
time counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.crowd import PEER_FILE, Counts, Crowd, gather
from bench.figures import Figure, checked, figure, p99
from bench.people import invite
from bench.polls import CLOCKS_APART, Times, late_by, polled_since, watch_due
from bench.sizes import Size
from bench.timing import idle_machine, wait
from bench.worlds import BOT, CONNECTIONS, World, open_world, running
from demo.processes import NotRunning

OWNERS = 50
RHYTHM = timedelta(seconds=15)
"""The interval between two polls of the peer."""
PEER = ("-m", "bench.peer", PEER_FILE)
UNLIMITED_PEER = (*PEER, "--no-limits")
PEER_CONNECTIONS = 1
MORE_LEAD = 5000
"""For every 5,000 rentals, an app gets `lead_seconds` more to start before the first polls are due.

This is only a generous limit. The figure `restart_*` shows the time that a start takes.
"""
LONGEST = 25.0
"""The maximum wall-clock seconds that the sandbox waits for a request in one call."""
WAITS = 4


class Run(NamedTuple):
    """The result of running one app."""

    late: Sequence[float]
    """The lateness of each poll, in wall-clock seconds."""
    doubt: str
    restart: float = 0.0
    """Wall-clock seconds from restarting the killed process until its first poll. 0 if it wasn't killed."""


async def measure(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Yield the lateness of polls for each number of live rentals, and the restart time for the largest number.

    The baselines are the peer with httpx's default connection limits, and the peer without limits (`*_free`).
    Raises NotRunning if an app doesn't start.
    """
    async with open_world(folder, "late", speed=size.poll_speed) as world:
        owners, channel = await invite(world, min(OWNERS, size.live[0]))
        crowd = await gather(world, owners, channel)
        await world.switch_on_rate_limits()
        for live in size.live:
            counts = Counts.of(live, size.probed)
            await crowd.grow(counts)
            kill = live == size.live[-1]
            ours = await _run(size, crowd, counts, BOT, channel, kill=kill)
            peer = await _run(size, crowd, counts, PEER, channel, kill=kill)
            free = await _run(size, crowd, counts, UNLIMITED_PEER, channel, kill=False)
            for name, other in ((f"polls_late_{live}", peer), (f"polls_late_{live}_free", free)):
                made = figure(name, p99(ours.late), "s", p99(other.late))
                yield checked(made, ours.doubt or other.doubt)
        made = figure(f"restart_{live}", ours.restart, "s", peer.restart)
        yield checked(made, ours.doubt or peer.doubt)


async def _run(
    size: Size, crowd: Crowd, counts: Counts, program: Sequence[str], channel: str, *, kill: bool
) -> Run:
    world, settings, connections = crowd.world, crowd.world.settings(channel), CONNECTIONS
    if program is BOT:
        await crowd.write(counts)
    lead = size.lead_seconds * (1 + sum(counts) / MORE_LEAD)
    start = await world.sandbox.now() + timedelta(seconds=lead * size.poll_speed)
    if program is BOT:
        await crowd.plan(counts, start)
    else:
        connections = PEER_CONNECTIONS
        await crowd.write_for_peer(counts, start)
    planned = {live.offer_id: at for live, at in crowd.planned("provisioning", counts, start).items()}
    async with idle_machine() as machine, running(world, program, settings, connections=connections) as app:
        left = (start - await world.sandbox.now()).total_seconds() / size.poll_speed
        await wait(max(left, 0.0))
        seen: Times = {}
        if program is BOT:
            seen = await watch_due(world, size.late_seconds)
        else:
            await wait(size.late_seconds)
        end = await world.sandbox.now()
        if kill:
            await app.kill()
    restart = 0.0
    if kill:
        restart = await _restart(world, program, settings, connections) / size.poll_speed
    answered = await polled_since(world, start - CLOCKS_APART)
    polled = {offer: [at for at in moments if at <= end] for offer, moments in answered.items()}
    if program is BOT:
        due = {offer: sorted({at, *seen.get(offer, ())}) for offer, at in planned.items()}
    else:
        due = rhythm(planned, polled)
    late = [seconds / size.poll_speed for seconds in late_by(due, polled) + missing(due, polled, end)]
    return Run(late, machine.doubt, restart)


async def _restart(world: World, program: Sequence[str], settings: Mapping[str, str], connections: int) -> float:
    """Restart an app. Return the seconds of sandbox time until it polls an offer.

    Raises NotRunning if it doesn't poll.
    """
    last = await last_request(world)
    began = await world.sandbox.now()
    async with running(world, program, settings, connections=connections):
        for _ in range(WAITS):
            polls = await world.sandbox.compute.traffic(endpoint="offer_status", after=last, wait=LONGEST)
            if polls:
                return (polls[0].at - began).total_seconds()
    raise NotRunning("The app polls nothing after a restart.")


async def last_request(world: World) -> int:
    """Return the number of the latest request to the marketplace."""
    return int((await world.sandbox.compute.get("traffic", after=10**9))["last"])


def rhythm(first: Mapping[str, datetime], polled: Times) -> dict[str, list[datetime]]:
    """Return the times at which the peer should poll each offer.

    The peer is the simple bot to which gpubot is compared. It polls each offer one RHYTHM after the previous
    poll was due. If that time had already passed when the previous poll was made, the next poll is due one
    RHYTHM after the previous poll.
    """
    due = {}
    for offer, at in first.items():
        due[offer] = [at]
        for moment in polled.get(offer, ()):
            following = due[offer][-1] + RHYTHM
            due[offer].append(following if following > moment else moment + RHYTHM)
    return due


def missing(due: Times, polled: Times, end: datetime) -> list[float]:
    """Return the lateness, in seconds, of the polls that are still missing at the `end` of a run.

    A poll of an offer is missing if the poll was due but the offer hasn't been polled since then.
    """
    late = []
    for offer, moments in due.items():
        last = max((at for at in moments if at <= end), default=None)
        known = polled.get(offer, ())
        if last is not None and bisect_left(known, last - CLOCKS_APART) == len(known):
            late.append((end - last).total_seconds())
    return late
