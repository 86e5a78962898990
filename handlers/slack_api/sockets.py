"""Socket Mode: two connections to Slack, and a regular check of both.

With two connections, one is always open while Slack renews the other. An app may have up to 10 connections, and
Slack may send a payload through any of them (docs.slack.dev/apis/events-api/using-socket-mode).

Each connection needs a URL that Slack issues for a short time. The SDK would retry forever with an expired URL, so
the check makes the SDK request a new one.
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
"""Wall-clock seconds between two checks of the connections."""
TICKET_SECONDS = 10.0
"""During startup, an attempt to connect is repeated with a new URL after this many wall-clock seconds."""
DEAD_AFTER = 60.0
"""If a connection stays closed for this many wall-clock seconds, a new URL is requested from Slack."""


def count_of(message: Mapping[str, Any]) -> int | None:
    """Read the number of the app's open connections from the greeting that Slack sends on a new connection.

    None if the message isn't such a greeting.
    """
    count = message.get("num_connections") if message.get("type") == "hello" else None
    return count if isinstance(count, int) else None


def _connection(app: AsyncApp, app_token: str, *gates: Gate) -> AsyncSocketModeHandler:
    """Return a connection to Slack, whose payloads are counted until they are acknowledged.

    A payload is a command, a click or an event. `gates` count the payloads, so that the bot doesn't close the
    connection before it has sent all acknowledgements. The listener's own count isn't enough, because the listener
    returns shortly before the acknowledgement is sent.
    """
    connection = AsyncSocketModeHandler(app, app_token)

    async def handle(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        with ExitStack() as handled:
            for gate in gates:
                handled.enter_context(gate.handling())
            try:
                await connection.handle(connection.client, request)
            except ConnectionResetError:
                # The connection closed before the acknowledgement was sent. The changes that the person asked for
                # are already committed. As Slack gets no acknowledgement, it shows a warning to the person or
                # sends the event again.
                log.warning("sockets.closed_before_acknowledgement", type=request.type)

    connection.client.socket_mode_request_listeners[:] = [handle]
    return connection


async def _use_our_session(client: SocketModeClient) -> None:
    """Replace the SDK's HTTP session with our own, which doesn't follow redirects.

    The SDK's session would also use the environment's proxy for every address, even for addresses that the proxy
    isn't meant for.
    """
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
            ticket_seconds: Wall-clock seconds after which an attempt to connect is repeated with a new URL.
            reload_token: Reads the app token again and passes it to `use_secret`. It is called if a connection
                stays closed, because Slack may refuse the old token.
        """
        self._clock = clock
        self._ticket_seconds = ticket_seconds
        self._reload_token = reload_token
        self._gates = [Gate() for _ in range(count)]
        """For each connection, a gate that counts the payloads that aren't acknowledged yet."""
        self._handlers = [_connection(app, app_token, gate or Gate(), own) for own in self._gates]
        self._down: dict[int, float] = {}
        """For each closed connection, by its index, the seconds since it was closed or last got a new URL.

        These are wall-clock seconds.
        """
        for handler in self._handlers:
            handler.client.message_listeners.append(self._greeted)

    async def _greeted(self, _: object, message: Mapping[str, Any], __: str | None = None) -> None:
        """Log a warning if Slack counts many more connections than this process has.

        Slack sends payloads to all connections that it counts. Payloads to connections that no longer exist are
        lost (slackapi/python-slack-sdk#1940).
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
            # If the process is stopped while it connects to Slack, some of the connections may be open already.
            # Close them. Otherwise, Slack's SDK would log an error for each of them.
            await self.close()
            raise

    async def _connect(self, handler: AsyncSocketModeHandler) -> None:
        """Open one connection, and retry until this succeeds.

        Each attempt requests a new URL from Slack. With the SDK alone, all attempts would use the first URL, even
        after it has expired.
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
        """Return None.

        In Socket Mode, the time of the last request says little about whether the connections still work.
        """

    def many_slow(self) -> bool:
        """Return False. This check is only needed in HTTP mode.

        There, strangers can send slow requests. In Socket Mode, all requests come from Slack.
        """
        return False

    def use_secret(self, app_token: str) -> None:
        """Use this token to open further connections. Connections that are already open stay open."""
        for handler in self._handlers:
            handler.client.app_token = app_token

    async def watch(self) -> None:
        """Check the connections until cancelled.

        If a connection stays closed for a minute, the SDK is made to request a new URL for it from Slack.
        """
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
        """Close each connection as soon as everything that it received is acknowledged.

        After `seconds` of wall-clock time, a connection is closed in any case. From then on, Slack sends payloads
        to other processes only. A payload that Slack sends at the very moment of closing is lost, because it can't
        be acknowledged after the closing frame.
        """
        await asyncio.gather(*map(self._close_when_done, self._handlers, self._gates, repeat(seconds)))

    async def _close_when_done(self, handler: AsyncSocketModeHandler, gate: Gate, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while gate.in_flight or not handler.client.message_queue.empty():
                    await gate.idle()
                    # Let the task of Slack's SDK run for a moment, so that it takes the next message from its
                    # queue.
                    await self._clock.pause(0)
        await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped

    async def close(self) -> None:
        for handler in self._handlers:
            await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped
