"""Socket Mode connections to Slack."""

from __future__ import annotations

import asyncio

from slack_bolt.async_app import AsyncApp
from structlog.testing import capture_logs
from structlog.types import EventDict

from bot.clock import SystemClock
from handlers.slack_api.gate import Gate
from handlers.slack_api.sockets import Sockets
from tests.sandbox.slack_world import World, workspace


async def logged_greeting(world: World) -> EventDict:
    """Return what is logged about the greeting on a new connection."""
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


async def test_a_warning_is_logged_if_slack_counts_more_connections_than_there_are() -> None:
    async with workspace() as world:
        logged = await logged_greeting(world)
        assert (logged["event"], logged["log_level"], logged["connections"]) == ("socket.greeted", "info", 1)
        await world.act("sockets/disconnect", ghosts=7)
        logged = await logged_greeting(world)
        assert (logged["event"], logged["log_level"]) == ("socket.too_many", "warning")
        assert (logged["connections"], logged["ours"]) == (8, 1)


async def test_a_new_ticket_is_used_if_the_first_one_is_refused() -> None:
    async with workspace() as world:
        await world.act("sockets/disconnect", refuse_tickets=True)
        app = AsyncApp(client=world.client, signing_secret="")
        sockets = Sockets(app, world.sandbox.app_token, SystemClock(), count=1, ticket_seconds=0.1)
        connecting = asyncio.create_task(sockets.connect())
        try:
            tried = await world.get("traffic", endpoint="socket", wait="9", answered="true")
            assert [one["status"] for one in tried["requests"]][:1] == [403]
            await world.act("sockets/disconnect", refuse_tickets=False)
            async with asyncio.timeout(9):
                await connecting
            assert await sockets.connected() == 1
        finally:
            connecting.cancel()
            await sockets.close()


async def test_work_that_goes_on_after_the_acknowledgement_keeps_the_process_from_stopping() -> None:
    gate, goes_on = Gate(), asyncio.Event()
    did: list[str] = []

    async def work() -> None:
        await goes_on.wait()
        did.append("work")

    with gate.handling():
        gate.start(work())
    assert gate.in_flight == 1  # at once, before its task runs
    idle = asyncio.create_task(gate.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    goes_on.set()
    await idle
    assert did == ["work"]
