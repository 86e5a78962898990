"""Socket Mode: two connections, so that one is open while Slack renews the other, and a watchdog for both.

An app may have up to 10 connections, and Slack may send a payload through any of them
(docs.slack.dev/apis/events-api/using-socket-mode). To connect, a ticket is needed, which is a URL that Slack
returns. The SDK retries with an expired ticket forever, so the watchdog makes it request a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from itertools import repeat
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.clock import Clock
from bot.lifecycle.loops.running import keep_running
from bot.net.sessions import new_session
from handlers.slack_api.gate import Gate

log = structlog.get_logger("gpubot.sockets")

CONNECTIONS = 2
CHECK_EVERY = 5.0
"""Wall-clock seconds between two checks by the watchdog."""
TICKET_SECONDS = 10.0
"""Wall-clock seconds for which a connection is attempted with the same ticket during startup."""
DEAD_AFTER = 60.0
"""Wall-clock seconds after which a closed connection gets a new ticket."""


def count_of(message: Mapping[str, Any]) -> int | None:
    """Return the number of connections that Slack counts for the app, or None if the message isn't a greeting."""
    count = message.get("num_connections") if message.get("type") == "hello" else None
    return count if isinstance(count, int) else None


def _connection(app: AsyncApp, app_token: str, *gates: Gate) -> AsyncSocketModeHandler:
    """Return a connection that counts each payload as being handled until its acknowledgement is sent.

    The acknowledgement is sent shortly after the listener returns, so the listener's own count would end too
    early.
    """
    connection = AsyncSocketModeHandler(app, app_token)

    async def handle(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        with ExitStack() as handled:
            for gate in gates:
                handled.enter_context(gate.handling())
            try:
                await connection.handle(connection.client, request)
            except ConnectionResetError:
                # The changes remain. Slack tells the person that it got no answer, or sends an event again.
                log.warning("sockets.closed_before_acknowledgement", type=request.type)

    connection.client.socket_mode_request_listeners[:] = [handle]
    return connection


async def _use_our_session(client: SocketModeClient) -> None:
    """Replace the SDK's session, which follows redirects and uses the environment's proxy for every address."""
    theirs, client.aiohttp_client_session = client.aiohttp_client_session, new_session()
    client.proxy = None
    await theirs.close()


class Sockets:
    """The Socket Mode connections of one process."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        clock: Clock,
        *,
        gate: Gate | None = None,
        count: int = CONNECTIONS,
        ticket_seconds: float = TICKET_SECONDS,
        reload_token: Callable[[], None] | None = None,
    ) -> None:
        """Create the connections without opening them. Must be called inside the running event loop.

        Args:
            gate: Counts payloads that haven't been acknowledged yet.
            ticket_seconds: Wall-clock seconds for which a connection is attempted with the same ticket.
            reload_token: Reads the app token again and calls `use_secret`. It is called if a connection stays
                closed.
        """
        self._clock = clock
        self._ticket_seconds = ticket_seconds
        self._reload_token = reload_token
        self._gates = [Gate() for _ in range(count)]
        """One gate for each connection, counting the payloads that it hasn't acknowledged."""
        self._handlers = [_connection(app, app_token, gate or Gate(), own) for own in self._gates]
        self._down: dict[int, float] = {}
        """The wall-clock seconds for which each closed connection has been closed, by its index."""
        for handler in self._handlers:
            handler.client.message_listeners.append(self._greeted)

    async def _greeted(self, _: object, message: Mapping[str, Any], __: str | None = None) -> None:
        """Log a warning if Slack still counts connections that no longer exist.

        Slack would send payloads to them, which are then lost (slackapi/python-slack-sdk#1940).
        """
        count = count_of(message)
        if count is not None and count > 2 * len(self._handlers):
            log.warning("socket.too_many", connections=count, ours=len(self._handlers))
        elif count is not None:
            log.info("socket.greeted", connections=count)

    async def connect(self) -> None:
        """Open all connections.

        Raises SlackApiError if Slack refuses the token.
        """
        try:
            for handler in self._handlers:
                await self._connect(handler)
        except BaseException:
            # If the process is stopped in the meantime, the SDK would log each open connection as an error.
            await self.close()
            raise

    async def _connect(self, handler: AsyncSocketModeHandler) -> None:
        """Open one connection, using a new ticket for each attempt.

        This is necessary because the SDK would use the first ticket forever.
        """
        await _use_our_session(handler.client)
        while True:
            try:
                async with asyncio.timeout(self._ticket_seconds):
                    await handler.connect_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped
                return
            except TimeoutError:
                log.warning("socket.not_connected")
                handler.client.wss_uri = None

    async def connected(self) -> int:
        return sum([await handler.client.is_connected() for handler in self._handlers])

    def since_request(self) -> None:
        """Return None always.

        In Socket Mode, the time of the last request says little about whether the connections still work.
        """

    def many_slow(self) -> bool:
        """Return False always, because only Slack can send anything through a connection that the bot opened."""
        return False

    def use_secret(self, app_token: str) -> None:
        """Request the next tickets with this token. Open connections aren't closed."""
        for handler in self._handlers:
            handler.client.app_token = app_token

    async def watch(self) -> None:
        """Renew expired tickets until cancelled."""
        await keep_running("socket", self._check, self._clock)

    async def _check(self) -> None:
        await self._clock.pause(CHECK_EVERY)
        for number, handler in enumerate(self._handlers):
            if await handler.client.is_connected():
                self._down.pop(number, None)
                continue
            self._down[number] = self._down.get(number, 0.0) + CHECK_EVERY
            if self._down[number] >= DEAD_AFTER:
                log.warning("socket.dead", socket=number)
                if self._reload_token is not None:
                    self._reload_token()
                handler.client.wss_uri = None
                self._down[number] = 0.0

    async def drain(self, seconds: float) -> None:
        """Close each connection once everything that it received is acknowledged.

        A connection is closed after `seconds` of wall-clock time in any case. Slack sends all further payloads to
        other processes. A payload that it sends before it notices the closing is lost, because nothing can be sent
        after the closing frame.
        """
        await asyncio.gather(*map(self._close_when_done, self._handlers, self._gates, repeat(seconds)))

    async def _close_when_done(self, handler: AsyncSocketModeHandler, gate: Gate, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while gate.in_flight or not handler.client.message_queue.empty():
                    await gate.idle()
                    await self._clock.pause(0)  # let the SDK take the next message from its queue
        await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped

    async def close(self) -> None:
        for handler in self._handlers:
            await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped
