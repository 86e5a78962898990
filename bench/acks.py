"""Measures how long Slack waits for the bot: from sending an envelope until its acknowledgement.

The sandbox takes the times. The empty app is measured before and after the bot, so that a change of the machine's
speed favours neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from bench.figures import Figure, figure, p99
from bench.people import invite, wait_for_button
from bench.posting import posting, with_button
from bench.rentals import buy, clock_of, database, seed
from bench.sizes import Size
from bench.timing import at_rate
from bench.worlds import BOT, EMPTY, World, open_world, running
from bot.demo.processes import NotRunning
from bot.model.event import EventKind
from bot.model.state import State
from handlers.ids import Action
from sandbox.client import Button, Outcome, SeenMessage

REQUEST = "get H100 EU"
KEEP = Action.KEEP.id
NOT_ACKNOWLEDGED = 3000.0
"""Milliseconds that count for an action that Slack gave up on."""

Act: TypeAlias = Callable[[int], Awaitable[float]]
"""Does the action with that number, and returns how many milliseconds its acknowledgement took."""
Click: TypeAlias = tuple[str, SeenMessage, Button]
"""The person, and the button on the message as it was shown first."""


async def measure(size: Size, folder: Path) -> list[Figure]:
    """Return `ack_command_p99` and `ack_click_p99`. Raise NotRunning if a click was not committed."""
    async with open_world(folder, "ack_empty") as empty_world, open_world(folder, "ack_bot") as bot_world:
        async with (
            _empty(empty_world, size) as (empty_command, empty_click),
            _bot(bot_world, size) as (command, click),
        ):
            commands, plain_commands = await _compare(size, command, empty_command)
            clicks, plain_clicks = await _compare(size, click, empty_click)
        await _check_commits(bot_world, size.people + len(clicks))
    return [
        figure("ack_command_p99", p99(commands), "ms", p99(plain_commands)),
        figure("ack_click_p99", p99(clicks), "ms", p99(plain_clicks)),
    ]


async def _compare(size: Size, act: Act, plain: Act) -> tuple[list[float], list[float]]:
    """Return the times of the bot, and those of the empty app: half measured before the bot, half after."""
    before = await at_rate(size.rate, size.load_seconds / 2, plain)
    took = await at_rate(size.rate, size.load_seconds, act)
    after = await at_rate(size.rate, size.load_seconds / 2, plain)
    return took, before + after


@asynccontextmanager
async def _bot(world: World, size: Size) -> AsyncIterator[tuple[Act, Act]]:
    """Run the bot, with people of whom each was asked whether their machine is still needed."""
    users, channel = await invite(world, size.people)
    clock = await clock_of(world)
    bought = await buy(world, clock, size.people)
    await seed(world, clock, bought, state=State.READY, owners=users, channel=channel)
    async with running(world, BOT, world.settings(channel)):
        clicks = [(user, *await wait_for_button(world, user, KEEP)) for user in users]
        command = _asking(world, users, channel)
        click = _clicking(world, clicks)
        for number in range(size.people):
            await click(number)
            await command(number)
        await world.switch_on_rate_limits()
        yield command, click


@asynccontextmanager
async def _empty(world: World, size: Size) -> AsyncIterator[tuple[Act, Act]]:
    """Run the empty app, with as many people and buttons."""
    users, channel = await invite(world, size.people)
    async with posting(world) as client:
        for user in users:
            await client.chat_postMessage(channel=user, **with_button("Still needed", KEEP))
    async with running(world, EMPTY, world.settings(channel)):
        clicks = [(user, *await wait_for_button(world, user, KEEP)) for user in users]
        await world.switch_on_rate_limits()
        yield _asking(world, users, channel), _clicking(world, clicks)


def _asking(world: World, users: list[str], channel: str) -> Act:
    async def ask(number: int) -> float:
        outcome = await world.sandbox.command(users[number % len(users)], channel, REQUEST)
        if outcome.payload:
            raise NotRunning(f"A request was refused: {outcome.payload}.")
        return _milliseconds(outcome)

    return ask


def _clicking(world: World, clicks: list[Click]) -> Act:
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
    """Raise NotRunning unless every measured click was written to the database."""
    async with database(world, await clock_of(world)) as store, store.read() as tx:
        histories = [await tx.events.of(rental.id) for rental in await tx.rentals.live()]
    kept = sum(event.kind is EventKind.KEPT for history in histories for event in history)
    if kept != clicks:
        raise NotRunning(f"{clicks} clicks, but {kept} of them were written.")
