"""Runs one plan: rounds of acts, weather and time, each ended by a kill, with checks when all is calm."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import SystemClock
from bot.demo.outside import Forbidden
from bot.demo.processes import NotRunning
from soak.checks import check
from soak.databases import Databases
from soak.gather import gather
from soak.people import act
from soak.plan import Kill, Plan, Round
from soak.world import Finding, World, opened

OPENING = timedelta(minutes=6)
"""Sandbox time before the first round."""
LONGEST = timedelta(hours=6)
"""Sandbox time within which all leases end and all requests lapse."""
PER_KILL, BESIDES = 12.0, 200.0
"""Real seconds that an episode may take at most: for each kill, and besides."""
CONNECTED_WITHIN = 2.5
HELD_WAIT = 3.0
CALM_CONNECTED = 20.0
DID = "did "
"""Before the name of what was done and acknowledged, among the counts."""


@dataclass
class Outcome:
    """What came of an episode."""

    plan: Plan
    findings: list[str] = field(default_factory=list)
    """Each with where in the plan it was found."""
    counts: Counter[str] = field(default_factory=Counter)


async def run(plan: Plan, databases: Databases, folder: Path) -> Outcome:
    """Runs an episode in a folder of its own, and never longer than its bound."""
    outcome = Outcome(plan)
    where, began = ["the opening"], SystemClock().real()
    bound = BESIDES + PER_KILL * plan.kills
    try:
        async with asyncio.timeout(bound):
            store = await databases.new(plan.database, folder)
            async with opened(folder, store) as world:
                try:
                    await _plays(world, plan, outcome, where)
                finally:
                    _count(world, outcome)
                    outcome.counts["faults met"] += await world.faults_met()
    except TimeoutError:
        outcome.findings.append(f"{where[0]}: it was not over after {bound:.0f} s")
    except (NotRunning, aiohttp.ClientError, OSError) as error:
        outcome.findings.append(f"{where[0]}: {error}")
    outcome.counts["seconds"] = round((SystemClock().real() - began).total_seconds())
    return outcome


async def _plays(world: World, plan: Plan, outcome: Outcome, where: list[str]) -> None:
    await world.start()
    await world.connected(CALM_CONNECTED)
    for first in plan.opening:
        outcome.counts["acts done"] += await act(world, first)
        await world.settles()
    await world.passes(OPENING.total_seconds())
    for number, one in enumerate(plan.rounds, start=1):
        where[0] = f"round {number} of {len(plan.rounds)}"
        await _round(world, one, outcome)
        if one.calm:
            await _calm(world)
            await _check(world, outcome, where[0], over=False)
    where[0] = "the end"
    await _calm(world)
    await _until_all_is_over(world)
    await _check(world, outcome, where[0], over=True)
    await world.kill(gently=True)


async def _check(world: World, outcome: Outcome, where: str, *, over: bool) -> None:
    evidence = await gather(world, over=over)
    known = {finding.partition(": ")[2] for finding in outcome.findings}
    outcome.findings += [f"{where}: {finding}" for finding in check(evidence) if finding not in known]
    outcome.counts["checked"] += 1
    if over:
        outcome.counts["rentals"] += len(evidence.cards)
        outcome.counts["machines"] += len(evidence.machines)
        outcome.counts["posts"] += len(evidence.posts)
        outcome.counts["told perhaps twice"] += int(evidence.health.get("perhaps_posted_twice", 0))
        outcome.counts["micros"] += sum(machine.micros for machine in evidence.machines)


# --- a round


async def _round(world: World, one: Round, outcome: Outcome) -> None:
    clock = SystemClock()

    async def later(seconds: float, does: Coroutine[Any, Any, Any], count: str) -> None:
        try:
            await clock.pause(seconds)
        except asyncio.CancelledError:
            does.close()
            raise
        try:
            if await does is not False:
                outcome.counts[count] += 1
        except Forbidden:
            outcome.counts[f"{count}, not possible"] += 1

    async def jumps() -> None:
        passed = 0.0
        for after, seconds in one.jumps:
            await clock.pause(max(after - passed, 0.0))
            passed = max(after, passed)
            await world.passes(seconds)

    tasks = [asyncio.create_task(later(each.after, act(world, each), "acts done")) for each in one.acts]
    tasks += [
        asyncio.create_task(later(trouble.after, world.begins(trouble), "troubles")) for trouble in one.weather
    ]
    passing = asyncio.create_task(jumps())
    try:
        await _kill(world, one.kill, outcome)
        # Slack itself tells people within 3 s that the bot is gone.
        await asyncio.gather(*tasks, passing)
    finally:
        for task in (*tasks, passing):
            task.cancel()
        await asyncio.gather(*tasks, passing, return_exceptions=True)
    if one.kill.down:
        await world.passes(one.kill.down)
    if one.clears:
        await world.clears()
    await _start(world, one.kill, outcome)


async def _kill(world: World, kill: Kill, outcome: Outcome) -> None:
    if kill.at is None:
        await SystemClock().pause(kill.after)
        await world.kill(gently=kill.gently)
    else:
        call = world.outside.slack if "." in kill.at or kill.at == "response_url" else world.outside.compute
        order = {"endpoint": kill.at, "kind": "hold_after" if kill.acted else "hold_before"}
        fault = str((await call("POST", "faults", order))["id"])
        met = (await call("GET", f"faults/{fault}", None, wait=max(HELD_WAIT, kill.after)))["hits"]
        outcome.counts["kills at a held request"] += bool(met)
        # Told to stop, it waits for what is under way: that must go on then.
        if kill.gently:
            await call("POST", f"faults/{fault}/release")
        await world.kill(gently=kill.gently)
        if not kill.gently:
            await call("POST", f"faults/{fault}/release")
    outcome.counts["kills"] += 1


async def _start(world: World, kill: Kill, outcome: Outcome) -> None:
    # A token that Slack refuses ends the start with a message, which is as it should be: not while we wait for it.
    for one in [each for each in world.weather if each.path == "tokens"]:
        await world.outside.slack("POST", one.path, one.undo)
        world.weather.remove(one)
    if kill.again_after is not None:
        starting = asyncio.create_task(world.start())
        await SystemClock().pause(kill.again_after)
        await starting
        await world.kill(gently=False)
        outcome.counts["kills"] += 1
    await world.start()
    await world.connected(CONNECTED_WITHIN)


# --- calm


async def _calm(world: World) -> None:
    """Nothing goes wrong any more, nobody does anything, and all comes to rest. Raises Finding."""
    await world.clears()
    if not await world.connected(CALM_CONNECTED):
        raise Finding("the bot has no two connections to Slack, although nothing goes wrong any more")
    await world.settles()
    # What had no answer is asked again within minutes.
    await world.rests(360)


async def _until_all_is_over(world: World) -> None:
    """Lets time pass until nothing lives and nothing waits. Raises Finding."""
    passed = timedelta(0)
    while passed < LONGEST:
        await world.rests(1200)
        passed += timedelta(minutes=20)
        evidence = await gather(world, over=False)
        if not evidence.unfinished():
            return
    left = (await gather(world, over=False)).unfinished()
    raise Finding(f"after {LONGEST} without trouble these are not over: {', '.join(left)}")


def _count(world: World, outcome: Outcome) -> None:
    acted = Counter(deed.kind for deed in world.deeds if deed.ok)
    outcome.counts["acknowledged"] += sum(acted.values())
    outcome.counts.update({f"{DID}{kind}": count for kind, count in acted.items()})
    outcome.counts["not acknowledged or refused"] += sum(not deed.ok for deed in world.deeds)
    outcome.counts["gentle stops"] += sum(life.gently for life in world.lives)
    outcome.counts["kinds of trouble"] += len(world.met)
