"""Measures what a SIGKILL costs, for the bot and for the peer: people rent, the app is killed while purchases are
under way, and started again. An hour of the sandbox's time later, every machine that bills must be watched, and
none may bill past its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from bench.crowd import Counts, gather
from bench.figures import Figure, checked, figure, p99
from bench.late import PEER, PEER_CONNECTIONS, last_request
from bench.people import invite
from bench.sizes import Size
from bench.timing import QUIET, at_rate, idle_machine, seconds, wait
from bench.worlds import BOT, CONNECTIONS, World, open_world, running

COMMAND = "get H100 EU for 30m now"
STEP = timedelta(minutes=6)
STEPS = 11
"""An hour after the start, and a step: a lease of 30 minutes from ready on is over then, also with a grace."""
WATCHED = 3
"""A machine is watched if it, or its offer, was asked for in this many steps at the end. Both apps ask for each at
least every three minutes."""
MOST_WAITS = 60
"""After so many waits a step is over, also if there are still requests."""
LONGEST = 30.0
"""Real seconds until a machine that nobody asked for counts as lost."""


class Lost(NamedTuple):
    """What was wrong an hour later."""

    unwatched: int
    """Machines that bill and that nobody asked for."""
    past_end: int
    """Machines of these people that bill though the 30 minutes of their lease are over."""
    under_way: int
    """Purchases that had no answer yet when the app was killed."""
    doubt: str


async def measure(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Yield what was lost and what bills too long. Raise NotRunning if an app does not start."""
    ours = await _lose(size, folder, "bot", BOT, CONNECTIONS)
    peer = await _lose(size, folder, "peer", PEER, PEER_CONNECTIONS)
    doubt = ours.doubt or peer.doubt
    note = f"{ours.under_way} purchases were under way, {peer.under_way} of the peer"
    lost = figure("lost_after_kill", ours.unwatched, "", peer.unwatched, note)
    yield checked(lost, doubt)
    yield checked(figure("billing_after_kill", ours.past_end, "", peer.past_end, note), doubt)


async def _lose(size: Size, folder: Path, name: str, program: Sequence[str], connections: int) -> Lost:
    async with open_world(folder, f"kills-{name}", speed=0) as world:
        owners, channel = await invite(world, size.rents)
        crowd = await gather(world, owners, channel)
        counts = Counts.of(size.killed_live, most_probed=1)  # while time jumps, visits would lag behind
        await crowd.grow(counts)
        start = await world.sandbox.now() + timedelta(seconds=size.lead_seconds)
        await crowd.write(counts)
        await crowd.plan(counts, start)
        await crowd.write_for_peer(counts, start)
        await world.sandbox.vendor("*", "normal")
        slow = await world.sandbox.add_fault("procure_offer", "latency", seconds=size.procure_seconds, times=None)
        settings = world.settings(channel)
        before = {machine.resource_id for machine in (await world.sandbox.account()).resources}
        async with idle_machine() as idle, running(world, program, settings, connections=connections) as app:
            await _until_quiet(size, world)  # the bot buys nothing before its first look at the account
            await world.sandbox.compute.post("clock", {"speed": 1})
            renting = asyncio.ensure_future(_rent(size, world, owners, channel))
            await slow.met()
            await wait(size.procure_seconds / 2)
            await app.kill()
            late = await renting
            sent = await world.sandbox.compute.traffic(endpoint="procure_offer")
        await wait(size.procure_seconds)  # purchases that were under way go on at the vendor
        await world.sandbox.remove_faults()
        restarted = (await world.sandbox.account()).resources
        await world.sandbox.compute.post("clock", {"speed": 0})  # each step is done before the next begins
        async with running(world, program, settings, connections=connections):
            last = await _hour(size, world)
            rented = {machine.resource_id for machine in restarted} - before
            doubt = idle.doubt or (f"invalid: people typed {late * 1000:.0f} ms late" if late > QUIET else "")
            return await _found(world, rented, last, sum(not each.status for each in sent), doubt)


async def _rent(size: Size, world: World, owners: Sequence[str], channel: str) -> float:
    """Let people type at planned times. Return by how many seconds the bench was late: the 99th percentile."""

    async def rent(number: int) -> None:
        await world.sandbox.command(owners[number], channel, COMMAND)

    sent = await at_rate(1 / size.rent_every, size.rents * size.rent_every, rent)
    return p99([each.late for each in sent])


async def _hour(size: Size, world: World) -> int:
    """Let an hour pass in steps. Return the number of the last request before the last steps."""
    numbers = []
    for _ in range(STEPS):
        await world.sandbox.jump_to(await world.sandbox.now() + STEP)
        numbers.append(await _until_quiet(size, world))
    return numbers[-WATCHED - 1]


async def _until_quiet(size: Size, world: World) -> int:
    """Wait until nobody asks the marketplace any more. Return the number of the last request."""
    last = await last_request(world)
    for _ in range(MOST_WAITS):
        await wait(size.quiet_seconds)
        newest = await last_request(world)
        if newest == last:
            break
        last = newest
    return last


async def _found(world: World, rented: set[str], last: int, under_way: int, doubt: str) -> Lost:
    """Return what is wrong. Time stands still, so an app that is only slow is waited for."""
    until = seconds() + LONGEST
    while True:
        requests = (await world.sandbox.compute.get("traffic", after=last))["requests"]
        asked = " ".join(f"{request['path']} {request['query']}" for request in requests)
        alive = [machine for machine in (await world.sandbox.account()).resources if machine.alive]
        unwatched = [one for one in alive if one.resource_id not in asked and (one.offer_id or "-") not in asked]
        if not unwatched or seconds() > until:
            break
        await wait(1)
    return Lost(len(unwatched), sum(one.resource_id in rented for one in alive), under_way, doubt)
