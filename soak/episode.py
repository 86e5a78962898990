"""Runs the plan of one episode, and checks the result.

An episode consists of rounds. In each round, people act, disturbances begin and time passes, and a kill of the
bot ends the round.
"""

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
from demo.processes import NotRunning
from sandbox.client import ControlError
from soak.checks import check
from soak.databases import Databases
from soak.disturbances import TOKENS
from soak.gather import gather
from soak.people import act, answer_questions
from soak.plan import Kill, Plan, Round
from soak.world import Finding, Replica, World, delivers, open_world

OPENING = timedelta(minutes=6)
"""Sandbox time that passes before the first round."""
LONGEST = timedelta(hours=6)
"""Sandbox time within which all leases end and all requests expire."""
PER_KILL, FIXED = 12.0, 300.0
"""The time limit of an episode, in wall-clock seconds: for each kill, and for everything else."""
CONNECT_AFTER_START = 2.5
CONNECT_UNDISTURBED = 20.0
HOLD_WAIT = 3.0
TAKEOVER = 25.0
"""Wall-clock seconds within which another process must take over message delivery from a stopped process."""
DID = "did "
"""The prefix of the counters of acknowledged actions. The kind of action follows."""
POSTED_TWICE = "perhaps posted twice"


@dataclass
class Outcome:
    """The findings and the counts of an episode."""

    plan: Plan
    findings: list[str] = field(default_factory=list)
    """The findings, each with the part of the plan in which it appeared."""
    counts: Counter[str] = field(default_factory=Counter)
    place: str = "the opening"
    """The part of the plan that is running now."""


async def run(plan: Plan, databases: Databases, folder: Path) -> Outcome:
    """Run an episode in its own folder.

    An episode that exceeds its time limit is cancelled, and that counts as a finding.
    """
    outcome, clock = Outcome(plan), SystemClock()
    began = clock.real()
    bound = FIXED + PER_KILL * plan.kills + sum(each.kill.stopped for each in plan.rounds)
    try:
        async with asyncio.timeout(bound):
            store = await databases.new(plan.database, folder)
            async with open_world(folder, store, replicas=plan.replicas, seed=plan.seed) as world:
                try:
                    await _run_rounds(world, plan, outcome)
                finally:
                    _count(world, outcome)
                    outcome.counts["faults met"] += await world.faults_met()
    except TimeoutError:
        outcome.findings.append(f"{outcome.place}: it was not over after {bound:.0f} s")
    except (NotRunning, ControlError, aiohttp.ClientError, OSError) as error:
        outcome.findings.append(f"{outcome.place}: {error}")
    outcome.counts["seconds"] = round((clock.real() - began).total_seconds())
    return outcome


async def _run_rounds(world: World, plan: Plan, outcome: Outcome) -> None:
    """Run the opening, the rounds and the end of a plan, with the checks in between."""
    await world.start()
    await world.connected(CONNECT_UNDISTURBED)
    for action in plan.opening:
        outcome.counts["actions done"] += await act(world, action)
        await world.settle()
    await world.pass_time(OPENING.total_seconds())
    for use in plan.uses:
        await world.start_disturbance(use)
    for number, each in enumerate(plan.rounds, start=1):
        outcome.place = f"round {number} of {len(plan.rounds)}"
        await _round(world, each, outcome)
        if each.checked:
            await _settle_undisturbed(world)
            await _check(world, outcome, over=False)
    outcome.place = "the end"
    await _settle_undisturbed(world)
    await _check(world, outcome, over=False)
    await _until_all_is_over(world)
    await _check(world, outcome, over=True)
    await world.kill(graceful=True)


async def _check(world: World, outcome: Outcome, *, over: bool) -> None:
    """Run the checks on the evidence so far, and store the problems that weren't found before."""
    evidence = await gather(world, over=over)
    known = {finding.partition(": ")[2] for finding in outcome.findings}
    outcome.findings += [f"{outcome.place}: {finding}" for finding in check(evidence) if finding not in known]
    outcome.counts["checked"] += 1
    if over:
        outcome.counts["rentals"] += len(evidence.cards)
        outcome.counts["machines"] += len(evidence.machines)
        outcome.counts["posts"] += len(evidence.posts)
        outcome.counts[POSTED_TWICE] += int(evidence.health.get("perhaps_posted_twice", 0))
        outcome.counts["micros"] += sum(machine.micros for machine in evidence.machines)


# --- a round


async def _round(world: World, each: Round, outcome: Outcome) -> None:
    """Run a round: people act, disturbances begin and time passes, then a process is killed and started again.

    With several replicas, people and the other process continue while the killed process starts again. With a
    single process, everything else ends before the process starts again, and a copy may replace the database in
    between.
    """
    clock, world.calm_since = SystemClock(), None

    async def after(seconds: float, work: Coroutine[Any, Any, Any], count: str) -> None:
        """Run `work` after `seconds` of wall-clock time. Count it under `count`, unless it was impossible."""
        try:
            await clock.pause(seconds)
        except asyncio.CancelledError:
            work.close()
            raise
        try:
            if await work is not False:
                outcome.counts[count] += 1
        except ControlError:
            outcome.counts[f"{count}, not possible"] += 1

    async def jump() -> None:
        passed = 0.0
        for at, seconds in each.jumps:
            await clock.pause(max(at - passed, 0.0))
            passed = max(at, passed)
            await world.pass_time(seconds)

    if each.kill.restores:
        await _wait_and_copy(world, each, outcome)
    tasks = [
        asyncio.create_task(after(action.after, act(world, action), "actions done")) for action in each.actions
    ]
    tasks += [
        asyncio.create_task(after(disturbance.after, world.start_disturbance(disturbance), "disturbances"))
        for disturbance in each.disturbances
    ]
    tasks.append(asyncio.create_task(jump()))
    try:
        await _kill(world, each.kill, outcome)
        if len(world.replicas) > 1:
            if each.recovers:
                await world.end_disturbances()
            await _start_again(world, each.kill, outcome)
        # Wait for the actions that people have begun. This doesn't take long: the sandbox's Slack reports an error
        # if it gets no acknowledgement within 3 s.
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if len(world.replicas) > 1:
        return
    if each.kill.down:
        await world.pass_time(each.kill.down)
    restored = each.kill.restores and world.store.restored()
    if restored:
        world.restored_at = await world.sandbox.now()
        outcome.counts["databases restored"] += 1
    if each.recovers or restored:
        await world.end_disturbances()
    await _start_again(world, each.kill, outcome)
    if restored:
        # After a start, the bot buys nothing until it has compared its messages with Slack, but for at most two
        # minutes of sandbox time. Let the bot finish the comparison before the sandbox's clock jumps past these
        # two minutes.
        await world.settle()


async def _wait_and_copy(world: World, each: Round, outcome: Outcome) -> None:
    """Copy the database while two people wait for machines.

    They begin to wait while nothing fails. The copy is made once messages in Slack show that they are waiting.
    """
    await world.end_disturbances()
    await world.connected(CONNECT_UNDISTURBED)
    for action in each.waits:
        outcome.counts["actions done"] += await act(world, action)
        await world.settle()
    world.store.copy()


async def _kill(world: World, kill: Kill, outcome: Outcome) -> None:
    """Kill a process while the sandbox holds a request, or at a random moment.

    If the plan names an endpoint, the sandbox holds the next request to this endpoint instead of responding. If no
    such request comes in time, the process is killed anyway.
    """
    replica = world.replicas[int(kill.pick * len(world.replicas))]
    if kill.held is None:
        await SystemClock().pause(kill.after)
        await _stop_for(world, replica, kill, outcome)
        await world.kill(graceful=kill.graceful, only=replica)
    else:
        fault = await world.sandbox.add_fault(kill.held, "hold_after" if kill.after_acting else "hold_before")
        outcome.counts["kills at a held request"] += bool(await fault.hits(max(HOLD_WAIT, kill.after)))
        await _stop_for(world, replica, kill, outcome)
        # A graceful stop waits for the bot's running requests. The sandbox is holding one of them, so release this
        # request first. Otherwise, the stop would never end.
        if kill.graceful:
            await fault.release()
        await world.kill(graceful=kill.graceful, only=replica)
        if not kill.graceful:
            await fault.release()
    outcome.counts["kills"] += 1


async def _stop_for(world: World, replica: Replica, kill: Kill, outcome: Outcome) -> None:
    """Stop a process for `kill.stopped` seconds, then let it run for as long as a round.

    Raises Finding if no other process has taken over message delivery within `TAKEOVER`. The caller kills the
    stopped process afterwards.
    """
    if not kill.stopped:
        return
    clock, others = SystemClock(), [each for each in world.replicas if each is not replica]
    with replica.stopped():
        takeover = min(TAKEOVER, kill.stopped)
        await clock.pause(takeover)
        if (
            others
            and takeover == TAKEOVER
            and not any([await delivers(world.session, each.running()) for each in others])
        ):
            raise Finding(f"No process delivers {TAKEOVER:.0f} s after the other one was stopped")
        await clock.pause(kill.stopped - takeover)
    await clock.pause(kill.after)
    outcome.counts["stopped for a while"] += 1


async def _start_again(world: World, kill: Kill, outcome: Outcome) -> None:
    """Start the processes that are down. If the plan says so, kill one of them again during its start."""
    # If Slack refuses the bot's token, the bot exits at its start. This is correct, but the episode needs a
    # running bot. So end the disturbances that revoke the token.
    await world.end_disturbances(TOKENS)
    replica = world.replicas[int(kill.pick * len(world.replicas))]
    if kill.again_after is not None:
        starting = asyncio.create_task(world.start())
        await SystemClock().pause(kill.again_after)
        await starting
        await world.kill(graceful=False, only=replica)
        outcome.counts["kills"] += 1
    await world.start()
    await world.connected(CONNECT_AFTER_START)


# --- without disturbances


async def _settle_undisturbed(world: World) -> None:
    """End all disturbances and wait until the bot is idle.

    Raises Finding if the bot doesn't connect or doesn't become idle.
    """
    await world.end_disturbances()
    if not await world.connected(CONNECT_UNDISTURBED):
        raise Finding("the bot doesn't have two connections to Slack, although nothing fails any more")
    await world.settle()
    world.calm_since = await world.sandbox.now()
    # If the bot got no response to a request, it repeats the request after some minutes. Let six minutes pass, so
    # that all requests have been repeated.
    await world.pass_time_settled(360)


async def _until_all_is_over(world: World) -> None:
    """Let time pass until no machine bills and no request waits.

    Raises Finding if this takes longer than LONGEST.
    """
    passed = timedelta(0)
    while passed < LONGEST:
        await answer_questions(world)
        await world.pass_time_settled(1200)
        passed += timedelta(minutes=20)
        if not (await gather(world, over=False)).unfinished():
            return
    left = (await gather(world, over=False)).unfinished()
    raise Finding(f"after {LONGEST} without disturbances these are not over: {', '.join(left)}")


def _count(world: World, outcome: Outcome) -> None:
    """Add the counts of the episode to its outcome."""
    acknowledged = Counter(action.kind for action in world.actions if action.ok)
    outcome.counts["acknowledged"] += acknowledged.total()
    outcome.counts.update({f"{DID}{kind}": count for kind, count in acknowledged.items()})
    outcome.counts["not acknowledged or refused"] += sum(not action.ok for action in world.actions)
    outcome.counts["graceful stops"] += world.graceful_stops
    outcome.counts["kinds of disturbance"] += len(world.disturbances_met)
