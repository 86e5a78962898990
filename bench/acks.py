"""Measures how long Slack and programs wait for acknowledgements, and the number of commits of an action.

The sandbox measures the time from sending a command or click to the app until the app acknowledges it. The bot
is compared with `bench.empty_app`, which does nothing but acknowledge. Each run measures the empty app both
before and after the bot, so that a change in the machine's speed favours neither. In some runs, the databases
are in memory. In the others, they are on disk.

A program's request for a machine is compared with a click on the empty app.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

from bench.figures import Figure, figure, p99
from bench.people import invite, wait_for_button
from bench.posting import posting, with_button
from bench.programs import renting_programs
from bench.rentals import buy, clock_of, database, seed
from bench.sizes import Size
from bench.timing import QUIET, Sent, at_rate
from bench.worlds import BOT, EMPTY, World, open_world, running
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State
from demo.processes import NotRunning
from handlers.ids import Action
from sandbox.client import Button, Outcome, SeenMessage

REQUEST = "get H100 EU"
KEEP = Action.KEEP.id
NOT_ACKNOWLEDGED = 3000.0
"""The milliseconds that are recorded for an action that wasn't acknowledged in time."""
MEMORY = Path("/dev/shm")  # noqa: S108 - files in it get names that nobody can guess
"""A folder in memory (tmpfs on Linux)."""

Act: TypeAlias = Callable[[int], Awaitable[float]]
"""Performs the action with this number, and returns the milliseconds until its acknowledgement."""
Click: TypeAlias = tuple[str, SeenMessage, Button]
"""A click to make: the person, the message in its original state, and the button of the message."""


class Run(NamedTuple):
    """The times of one kind of action in one run, in milliseconds."""

    bot: Sequence[float]
    empty: Sequence[float]
    late: Sequence[float]
    """The bench's own delays in starting the actions. They are included in the times of `bot` and `empty`."""

    @property
    def valid(self) -> bool:
        """True if the machine was quiet enough for the times to be meaningful."""
        return max(p99(self.empty), p99(self.late)) <= QUIET * 1000


async def measure(size: Size, folder: Path) -> AsyncIterator[Figure]:
    """Yield the figures `commits_*`, then `ack_*`, for commands and clicks.

    Raises NotRunning if a click wasn't committed to the database.
    """
    for name, commits in (await _count_commits(size, folder)).items():
        yield figure(f"commits_{name}", commits, "")
    for place, parent, count in (("", MEMORY, size.ack_runs), ("_disk", folder, size.ack_disk_runs)):
        runs: dict[str, list[Run]] = {"command": [], "click": [], "api": []}
        for _ in range(count):
            with tempfile.TemporaryDirectory(prefix="gpubot-bench-", dir=parent) as home:
                command, click, api = await _run(size, Path(home))
            runs["command"].append(command)
            runs["click"].append(click)
            runs["api"].append(api)
        for name, measured in runs.items():
            for each in _figures(f"ack_{name}", place, measured):
                yield each


def _figures(name: str, place: str, runs: Sequence[Run]) -> Iterator[Figure]:
    """Yield the median, the 99th percentile and the maximum of the bot's times, each with the baseline.

    Only valid runs count. If no run is valid, the figures have no value. The median and the 99th percentile each
    come from one run, in which the ratio of bot to baseline is the median of all runs. The maximum covers all
    runs.
    """
    counted = [run for run in runs if run.valid]
    note = f"{len(counted)} of {len(runs)} runs valid" if len(counted) < len(runs) else ""
    if not counted:
        for suffix in ("p50", "p99", "max"):
            yield Figure(name=f"{name}_{suffix}{place}", value=None, unit="ms", note=note)
        return
    for suffix, of in (("p50", median), ("p99", p99)):
        pairs = sorted(((of(run.bot), of(run.empty)) for run in counted), key=lambda pair: pair[0] / pair[1])
        bot, empty = pairs[(len(pairs) - 1) // 2]
        yield figure(f"{name}_{suffix}{place}", bot, "ms", empty, note)
    bot, empty = (max(map(max, times)) for times in zip(*((run.bot, run.empty) for run in counted), strict=True))
    yield figure(f"{name}_max{place}", bot, "ms", empty, note)


async def _run(size: Size, folder: Path) -> tuple[Run, Run, Run]:
    """Return the times of commands, of clicks, and of programs' requests for machines.

    Each click needs its own machine. With that many machines, the bot posts messages in bursts for several
    minutes, which would distort the times of commands. Therefore commands are measured with only a few machines,
    after all messages about them have been posted.
    """
    async with (
        open_world(folder, "empty") as empty_world,
        _empty(empty_world, size) as (empty_command, empty_click),
    ):
        async with open_world(folder, "commands") as world, _bot(world, size, size.beside) as (command, _):
            # On each person's first command, the bot looks the person up in Slack. Let this happen before the
            # measurement, because it would distort the measured times.
            for number in range(size.people):
                await command(number)
            await world.wait_until_idle()
            await world.switch_on_rate_limits()
            commands = await _compare(size, command, empty_command)
        async with open_world(folder, "clicks") as world:
            async with _bot(world, size, size.people) as (_, click):
                for number in range(size.warming):
                    await click(number)
                await world.switch_on_rate_limits()
                clicks = await _compare(size, click, empty_click)
            await _check_commits(world, size.warming + len(clicks.bot))
        async with open_world(folder, "programs") as world, renting_programs(world, size) as rent:
            for number in range(size.warming):
                await rent(number)
            await world.switch_on_rate_limits()
            rents = await _compare(size, rent, empty_click)
    return commands, clicks, rents


async def _count_commits(size: Size, folder: Path) -> dict[str, float]:
    """Return the average number of transactions that an action commits, by kind of action.

    This includes all work that follows from the action.
    """
    commits: dict[str, float] = {}
    few = changed(size, people=size.counted)
    async with open_world(folder, "commits") as world, _bot(world, few, few.people) as (command, click):
        for name, act in (("command", command), ("click", click)):
            await world.wait_until_idle()
            before = await world.commits()
            for number in range(size.counted):
                await act(number)
                await world.wait_until_idle()
            commits[name] = (await world.commits() - before) / size.counted
    return commits


async def _compare(size: Size, act: Act, plain: Act) -> Run:
    """Measure half of the empty app's actions, then all of the bot's actions, then the empty app's other half."""

    async def after_warming(number: int) -> float:
        return await act(size.warming + number)

    before = await at_rate(size.rate, size.load_seconds / 2, plain)
    took = await at_rate(size.rate, size.load_seconds, after_warming)
    after = await at_rate(size.rate, size.load_seconds / 2, plain)
    return Run(_from_plan(took), _from_plan(before + after), [each.late * 1000 for each in before + took + after])


def _from_plan(sent: Sequence[Sent[float]]) -> list[float]:
    """Return the milliseconds from each action's planned time to its acknowledgement."""
    return [each.late * 1000 + each.result for each in sent]


@asynccontextmanager
async def _bot(world: World, size: Size, machines: int) -> AsyncIterator[tuple[Act, Act]]:
    """Run the bot, and yield the actions for commands and clicks.

    As many people as `machines` get a machine, and a message that asks whether they still need the machine.
    """
    users, channel = await invite(world, size.people)
    clock = await clock_of(world)
    bought = await buy(world, clock, machines)
    owners = users[:machines]
    await seed(world, clock, bought, state=State.READY, owners=owners, channel=channel)
    async with running(world, BOT, world.settings(channel)):
        clicks = [(user, *await wait_for_button(world, user, KEEP)) for user in owners]
        yield _command_action(world, users, channel), _click_action(world, clicks)


@asynccontextmanager
async def _empty(world: World, size: Size) -> AsyncIterator[tuple[Act, Act]]:
    """Run the empty app, and yield the actions for commands and clicks.

    There are as many people and buttons as for the bot.
    """
    users, channel = await invite(world, size.people)
    async with posting(world) as client:
        for user in users:
            await client.chat_postMessage(channel=user, **with_button("Still needed", KEEP))
    async with running(world, EMPTY, world.settings(channel)):
        clicks = [(user, *await wait_for_button(world, user, KEEP)) for user in users]
        await world.switch_on_rate_limits()
        yield _command_action(world, users, channel), _click_action(world, clicks)


def _command_action(world: World, users: list[str], channel: str) -> Act:
    async def run_command(number: int) -> float:
        outcome = await world.sandbox.command(users[number % len(users)], channel, REQUEST)
        if outcome.payload:
            raise NotRunning(f"A request was refused: {outcome.payload}.")
        return _milliseconds(outcome)

    return run_command


def _click_action(world: World, clicks: list[Click]) -> Act:
    async def click(number: int) -> float:
        user, message, button = clicks[number % len(clicks)]
        return _milliseconds(await world.sandbox.click(user, message, button, as_read=True))

    return click


def _milliseconds(outcome: Outcome) -> float:
    if outcome.took_ms is not None:
        return outcome.took_ms
    if outcome.error == "operation_timeout":
        return NOT_ACKNOWLEDGED
    raise NotRunning(f"An action failed: {outcome.error}.")


async def _check_commits(world: World, clicks: int) -> None:
    """Check that every measured click was written to the database. Raise NotRunning if not."""
    async with database(world, await clock_of(world)) as store, store.read() as tx:
        histories = [await tx.events.of(rental.id) for rental in await tx.rentals.live()]
    kept = sum(event.kind is EventKind.KEPT for history in histories for event in history)
    if kept != clicks:
        raise NotRunning(f"{clicks} clicks, but {kept} of them were written.")
