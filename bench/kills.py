"""Measures the damage after a SIGKILL, for the bot and for its baseline, the simple bot of `bench.peer`.

People rent machines; the app is killed while purchases are in progress, and started again. An hour of sandbox time
later, the app must be watching every machine that is billed, and no machine may be billed past its end.
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
"""The number of steps after the restart, which take an hour and six minutes.

The people rent for 30 minutes, starting when their machine is ready. After an hour, each of these leases must have
ended, even if a grace period was added.
"""
WATCHED = 3
"""The number of final steps that show which machines an app watches.

An app watches a machine if it requests the machine or the machine's offer during these steps. Both apps request
each machine at least every three minutes.
"""
MOST_WAITS = 60
"""The maximum number of waits in a step. After these, the step ends even if requests keep coming."""
LONGEST = 30.0
"""The wall-clock seconds that an app gets after the last step to request all machines.

The machines that it hasn't requested by then count as lost.
"""


class Lost(NamedTuple):
    """The machines that were lost or billed for too long, an hour after the kill."""

    unwatched: int
    """The number of machines that are billed, but that the app didn't request during the final steps."""
    past_end: int
    """The number of machines that are billed although their lease of 30 minutes has ended."""
    under_way: int
    """The number of purchases to which the marketplace hadn't responded when the app was killed."""
    doubt: str


async def measure(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Yield `lost_after_kill` and `billing_after_kill`. Raise NotRunning if an app doesn't start."""
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
        # Let the bot probe one machine at most. The clock jumps forward in this measurement, and the probe runs of
        # more machines couldn't keep up.
        counts = Counts.of(size.killed_live, most_probed=1)
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
            # Wait until the bot has compared the machines on the account with its database. It buys nothing before
            # that.
            await _until_quiet(size, world)
            await world.sandbox.compute.post("clock", {"speed": 1})
            renting = asyncio.ensure_future(_rent(size, world, owners, channel))
            await slow.met()
            await wait(size.procure_seconds / 2)
            await app.kill()
            late = await renting
            sent = await world.sandbox.compute.traffic(endpoint="procure_offer")
        # The app was killed in the middle of purchases. Give the vendor time to complete them.
        await wait(size.procure_seconds)
        await world.sandbox.remove_faults()
        restarted = (await world.sandbox.account()).resources
        # Stop the sandbox's clock. It then moves only in steps, and the app does all work of one step before the
        # next step begins.
        await world.sandbox.compute.post("clock", {"speed": 0})
        async with running(world, program, settings, connections=connections):
            last = await _hour(size, world)
            rented = {machine.resource_id for machine in restarted} - before
            doubt = idle.doubt or (f"invalid: people typed {late * 1000:.0f} ms late" if late > QUIET else "")
            return await _found(world, rented, last, sum(not each.status for each in sent), doubt)


async def _rent(size: Size, world: World, owners: Sequence[str], channel: str) -> float:
    """Make people type the command at planned times. Return the bench's own delay (p99, in seconds)."""

    async def rent(number: int) -> None:
        await world.sandbox.command(owners[number], channel, COMMAND)

    sent = await at_rate(1 / size.rent_every, size.rents * size.rent_every, rent)
    return p99([each.late for each in sent])


async def _hour(size: Size, world: World) -> int:
    """Advance the clock by an hour in steps. Return the number of the last request before the final steps."""
    numbers = []
    for _ in range(STEPS):
        await world.sandbox.jump_to(await world.sandbox.now() + STEP)
        numbers.append(await _until_quiet(size, world))
    return numbers[-WATCHED - 1]


async def _until_quiet(size: Size, world: World) -> int:
    """Wait until the marketplace gets no more requests. Return the number of the last request."""
    last = await last_request(world)
    for _ in range(MOST_WAITS):
        await wait(size.quiet_seconds)
        newest = await last_request(world)
        if newest == last:
            break
        last = newest
    return last


async def _found(world: World, rented: set[str], last: int, under_way: int, doubt: str) -> Lost:
    """Count the machines that the app lost.

    The sandbox's clock is stopped during this count, so an app that is merely slow can still catch up.
    """
    until = seconds() + LONGEST
    while True:
        requests = (await world.sandbox.compute.get("traffic", after=last))["requests"]
        requested = " ".join(f"{request['path']} {request['query']}" for request in requests)
        alive = [machine for machine in (await world.sandbox.account()).resources if machine.alive]
        unwatched = [
            one for one in alive if one.resource_id not in requested and (one.offer_id or "-") not in requested
        ]
        if not unwatched or seconds() > until:
            break
        await wait(1)
    return Lost(len(unwatched), sum(one.resource_id in rented for one in alive), under_way, doubt)
