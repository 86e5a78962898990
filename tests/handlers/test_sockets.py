"""Socket Mode connections to Slack."""

from __future__ import annotations

import asyncio
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from structlog.testing import capture_logs
from structlog.types import EventDict

from bot.clock import SystemClock
from handlers.slack_api.gate import Gate
from handlers.slack_api.sockets import Sockets
from sandbox.slack.default import ANA
from sandbox.slack.schema import Json
from tests.sandbox.slack_world import World, workspace


async def logged_greeting(world: World) -> EventDict:
    """Return the log entry about the greeting on a new connection."""
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


async def test_a_warning_is_logged_if_slack_counts_too_many_connections() -> None:
    async with workspace() as world:
        logged = await logged_greeting(world)
        assert (logged["event"], logged["log_level"], logged["connections"]) == ("socket.greeted", "info", 1)
        await world.act("sockets/disconnect", ghosts=7)
        logged = await logged_greeting(world)
        assert (logged["event"], logged["log_level"]) == ("socket.too_many", "warning")
        assert (logged["connections"], logged["ours"]) == (8, 1)


async def test_a_new_ticket_is_used_if_the_first_is_refused() -> None:
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


async def test_closing_connections_first_acknowledge_everything_they_still_receive() -> None:
    """One of two processes stops while each of its connections is handling a command."""
    async with workspace() as world:
        hold, handled, all_held = asyncio.Event(), 0, asyncio.Event()

        async def authorize() -> AuthorizeResult:
            return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-none")  # noqa: S106 (no token)

        stopping_app = AsyncApp(client=world.client, authorize=authorize, process_before_response=True)
        other_app = AsyncApp(client=world.client, authorize=authorize, process_before_response=True)
        stopping = Sockets(stopping_app, world.sandbox.app_token, SystemClock())
        other = Sockets(other_app, world.sandbox.app_token, SystemClock())

        @stopping_app.command("/gpu")
        async def held(ack: Any, body: dict[str, Any]) -> None:
            nonlocal handled
            handled += 1
            if all(gate.in_flight for gate in stopping._gates):
                all_held.set()
            if not hold.is_set() and body["text"] == "first":
                await hold.wait()
            await ack()

        @other_app.command("/gpu")
        async def at_once(ack: Any) -> None:
            await ack()

        await stopping.connect()
        await other.connect()
        first: list[asyncio.Task[Json]] = []
        while not all_held.is_set():
            first.append(asyncio.create_task(world.command(ANA, "first")))
            await asyncio.wait({first[-1], asyncio.create_task(all_held.wait())}, timeout=0.05)
        before = handled
        draining = asyncio.create_task(stopping.drain(20))
        during = [await world.command(ANA, "second") for _ in range(20)]
        assert not draining.done()
        assert handled > before, "some came through connections that are about to close"
        hold.set()
        outcomes = [*await asyncio.gather(*first), *during]
        async with asyncio.timeout(10):
            await draining
        after = [await world.command(ANA, "third") for _ in range(5)]
        assert [outcome["error"] for outcome in (*outcomes, *after)] == [None] * (len(outcomes) + 5)
        assert (await stopping.connected(), await other.connected()) == (0, 2)
        await stopping.close()
        await other.close()


async def test_an_acknowledgement_on_a_closed_connection_is_only_a_warning() -> None:
    async with workspace() as world:
        handled, closed = asyncio.Event(), asyncio.Event()

        async def authorize() -> AuthorizeResult:
            return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-none")  # noqa: S106 (no token)

        app = AsyncApp(client=world.client, authorize=authorize, process_before_response=True)

        @app.command("/gpu")
        async def held(ack: Any) -> None:
            handled.set()
            await closed.wait()
            await ack()

        sockets = Sockets(app, world.sandbox.app_token, SystemClock(), count=1)
        await sockets.connect()
        command = asyncio.create_task(world.command(ANA, "list"))
        async with asyncio.timeout(10):
            await handled.wait()
            session = sockets._handlers[0].client.current_session
            assert session is not None
            await session.close()
            with capture_logs() as lines:
                closed.set()
                await sockets._gates[0].idle()
        assert [(line["event"], line["log_level"], line["type"]) for line in lines] == [
            ("sockets.closed_before_acknowledgement", "warning", "slash_commands")
        ]
        await sockets.close()
        assert (await command)["error"] is not None


async def test_work_after_the_acknowledgement_keeps_the_process_from_stopping() -> None:
    gate, goes_on = Gate(), asyncio.Event()
    did: list[str] = []

    async def work() -> None:
        await goes_on.wait()
        did.append("work")

    with gate.handling():
        gate.start(work())
    assert gate.in_flight == 1  # immediately, before the task runs
    idle = asyncio.create_task(gate.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    goes_on.set()
    await idle
    assert did == ["work"]
