"""Two Socket Mode connections, so that one is open while the other is renewed, and a watchdog for dead ones.

docs.slack.dev/apis/events-api/using-socket-mode: up to 10 connections an app, any of them may get a payload. The
SDK goes on for ever with a ticket that is no longer good; the watchdog makes it ask for a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.clock import Clock
from bot.sessions import new_session
from handlers.slack_api.gate import Gate

log = structlog.get_logger("gpubot.sockets")

CONNECTIONS = 2
LOOK_EVERY = 5.0
TICKET_SECONDS = 10.0
"""How long one ticket is tried at the start."""
DEAD_AFTER = 60.0
"""Real seconds without a connection until its ticket is dropped."""


def count_of(message: Mapping[str, Any]) -> int | None:
    """How many connections of the app Slack has, as its greeting says; None for anything else."""
    count = message.get("num_connections") if message.get("type") == "hello" else None
    return count if isinstance(count, int) else None


def _connection(app: AsyncApp, app_token: str, gate: Gate) -> AsyncSocketModeHandler:
    """A connection that keeps the gate until the acknowledgement has gone out: the listener leaves it a moment
    before that."""
    connection = AsyncSocketModeHandler(app, app_token)

    async def handle(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        with gate.handling():
            await connection.handle(connection.client, request)

    connection.client.socket_mode_request_listeners[:] = [handle]
    return connection


async def _leave_as_all_do(client: SocketModeClient) -> None:
    """The SDK's own session follows redirects, and takes the environment's proxy for every address."""
    theirs, client.aiohttp_client_session = client.aiohttp_client_session, new_session()
    client.proxy = None
    await theirs.close()


class Sockets:
    """The connections of one process."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        clock: Clock,
        *,
        gate: Gate | None = None,
        count: int = CONNECTIONS,
        patience: float = TICKET_SECONDS,
        token_again: Callable[[], str] | None = None,
    ) -> None:
        """Must be made inside the running loop. `gate` counts what has come in and is not yet acknowledged.
        `patience` is for how many real seconds one ticket is tried. `token_again` reads the app token again: asked
        if a connection stays closed."""
        self._clock = clock
        self._patience = patience
        self._token_again = token_again
        self._handlers = [_connection(app, app_token, gate or Gate()) for _ in range(count)]
        self._down: dict[int, float] = {}
        for handler in self._handlers:
            handler.client.message_listeners.append(self._greeted)

    async def _greeted(self, _: object, message: Mapping[str, Any], __: str | None = None) -> None:
        """Connections that are gone and still counted swallow what people do (slackapi/python-slack-sdk#1940)."""
        count = count_of(message)
        if count is not None and count > 2 * len(self._handlers):
            log.warning("socket.too_many", connections=count, ours=len(self._handlers))
        elif count is not None:
            log.info("socket.greeted", connections=count)

    async def connect(self) -> None:
        """Opens all. Raises SlackApiError where the token is refused."""
        try:
            for handler in self._handlers:
                await self._connect(handler)
        except BaseException:
            # What is left open when the process is told to stop meanwhile is logged as an error.
            await self.close()
            raise

    async def _connect(self, handler: AsyncSocketModeHandler) -> None:
        """Opens one connection, each time with a new ticket. The SDK would try the first ticket for ever, and no
        watchdog runs yet."""
        await _leave_as_all_do(handler.client)
        while True:
            try:
                async with asyncio.timeout(self._patience):
                    await handler.connect_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped
                return
            except TimeoutError:
                log.warning("socket.not_connected")
                handler.client.wss_uri = None

    async def connected(self) -> int:
        """How many are open."""
        return sum([await handler.client.is_connected() for handler in self._handlers])

    async def watch(self) -> None:
        """Renews tickets that no longer work, until cancelled."""
        while True:
            await self._clock.pause(LOOK_EVERY)
            for number, handler in enumerate(self._handlers):
                if await handler.client.is_connected():
                    self._down.pop(number, None)
                    continue
                self._down[number] = self._down.get(number, 0.0) + LOOK_EVERY
                if self._down[number] >= DEAD_AFTER:
                    log.warning("socket.dead", socket=number)
                    if self._token_again is not None:
                        handler.client.app_token = self._token_again()
                    handler.client.wss_uri = None
                    self._down[number] = 0.0

    async def close(self) -> None:
        """Closes all. Nothing is drained: wait for what is in flight first."""
        for handler in self._handlers:
            await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped
