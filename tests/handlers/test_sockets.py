"""The connections to Slack."""

from __future__ import annotations

import asyncio

from slack_bolt.async_app import AsyncApp
from structlog.testing import capture_logs
from structlog.types import EventDict

from bot.clock import SystemClock
from handlers.sockets import Sockets
from tests.sandbox.slack_world import World, workspace


async def greeting(world: World) -> EventDict:
    """What is logged of the greeting on a new connection."""
    app = AsyncApp(client=world.client, signing_secret="")
    with capture_logs() as lines:
        sockets = Sockets(app, world.sandbox.app_token, SystemClock(), count=1)
        read = asyncio.Event()

        async def then(*_: object) -> None:
            read.set()

        for handler in sockets._handlers:
            handler.client.message_listeners.append(then)
        await sockets.connect()
        async with asyncio.timeout(10):
            await read.wait()
        await sockets.close()
    return next(line for line in lines if str(line["event"]).startswith("socket."))


async def test_connections_that_are_gone_and_still_counted_are_warned_of() -> None:
    async with workspace() as world:
        told = await greeting(world)
        assert (told["event"], told["log_level"], told["connections"]) == ("socket.greeted", "info", 1)
        await world.act("sockets/disconnect", ghosts=7)
        told = await greeting(world)
        assert (told["event"], told["log_level"]) == ("socket.too_many", "warning")
        assert (told["connections"], told["ours"]) == (8, 1)
