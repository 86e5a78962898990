"""How long Slack waits for the bot: from sending an envelope until it is acknowledged, as the sandbox sees it.

The empty app is measured before and after the bot, so that a machine that gets slower or faster meanwhile favours
neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from bench.figures import Figure, figure, p99
from bench.measuring import at_rate
from bench.people import button_for, invite
from bench.posting import posting, with_button
from bench.rentals import buy, clock_of, database, seed
from bench.sizes import Size
from bench.worlds import BOT, EMPTY, World, running, world
from bot.demo.processes import NotRunning
from bot.model.event import EventKind
from bot.model.state import State
from handlers.ids import Action

ASKS = "get H100 EU"
KEEP = Action.KEEP.value
NOT_ACKNOWLEDGED = 3000.0
"""What an act counts for that Slack gave up on, ms."""

Act: TypeAlias = Callable[[int], Awaitable[float]]


async def measure(size: Size, folder: Path) -> list[Figure]:
    """`ack_command_p99` and `ack_click_p99`. Raises NotRunning where a click didn't commit."""
    async with world(folder, "ack_empty") as nothing, world(folder, "ack_bot") as real:
        async with _empty(nothing, size) as (empty_command, empty_click), _bot(real, size) as (command, click):
            commands, plain_commands = await _beside(size, command, empty_command)
            clicks, plain_clicks = await _beside(size, click, empty_click)
        await _check_commits(real, size.people + len(clicks))
    return [
        figure("ack_command_p99", p99(commands), "ms", p99(plain_commands)),
        figure("ack_click_p99", p99(clicks), "ms", p99(plain_clicks)),
    ]


async def _beside(size: Size, act: Act, plain: Act) -> tuple[list[float], list[float]]:
    """What the bot took, and what the empty app took: half of it before, half after."""
    before = await at_rate(size.rate, size.load_seconds / 2, plain)
    took = await at_rate(size.rate, size.load_seconds, act)
    after = await at_rate(size.rate, size.load_seconds / 2, plain)
    return took, before + after


@asynccontextmanager
async def _bot(place: World, size: Size) -> AsyncIterator[tuple[Act, Act]]:
    """The bot, with people it knows of whom each was asked whether the machine is still needed."""
    users, channel = await invite(place, size.people)
    clock = await clock_of(place)
    bought = await buy(place, clock, size.people)
    await seed(place, clock, bought, state=State.READY, owners=users, channel=channel)
    async with running(place, BOT, place.settings(channel)):
        clicks = [await _aim(place, user) for user in users]
        command = _asking(place, users, channel)
        click = _clicking(place, clicks)
        for number in range(size.people):
            await click(number)
            await command(number)
        await place.keep_real_pace()
        yield command, click


@asynccontextmanager
async def _empty(place: World, size: Size) -> AsyncIterator[tuple[Act, Act]]:
    """The empty app, with the same people and as many buttons."""
    users, channel = await invite(place, size.people)
    async with posting(place) as client:
        for user in users:
            await client.chat_postMessage(channel=user, **with_button("Keep", KEEP))
    async with running(place, EMPTY, place.settings(channel)):
        clicks = [await _aim(place, user) for user in users]
        await place.keep_real_pace()
        yield _asking(place, users, channel), _clicking(place, clicks)


async def _aim(place: World, user: str) -> dict[str, Any]:
    """A click on the person's Keep button, as it was shown first: it stays that click when the message changes."""
    message, button = await button_for(place, user, KEEP)
    return {
        "user": user,
        "channel": message.channel,
        "ts": message.ts,
        "seq": message.seq,
        "action_id": button["action_id"],
        "block_id": button["block_id"],
    }


def _asking(place: World, users: list[str], channel: str) -> Act:
    async def ask(number: int) -> float:
        answer = await place.outside.command(users[number % len(users)], channel, ASKS)
        if answer["payload"]:
            raise NotRunning(f"A search was refused: {answer['payload']}.")
        return _took(answer)

    return ask


def _clicking(place: World, clicks: list[dict[str, Any]]) -> Act:
    async def click(number: int) -> float:
        return _took(await place.outside.slack("POST", "click", clicks[number % len(clicks)]))

    return click


def _took(answer: dict[str, Any]) -> float:
    if answer["error"] is None:
        return float(answer["took_ms"])
    if answer["error"] == "operation_timeout":
        return NOT_ACKNOWLEDGED
    raise NotRunning(f"An act failed: {answer['error']}.")


async def _check_commits(place: World, clicks: int) -> None:
    """Every click that was measured has to be one that was written."""
    async with database(place, await clock_of(place)) as store, store.read() as tx:
        histories = [await tx.events.of(rental.id) for rental in await tx.rentals.live()]
    kept = sum(event.kind is EventKind.KEPT for history in histories for event in history)
    if kept != clicks:
        raise NotRunning(f"{clicks} clicks, but {kept} of them were written.")
