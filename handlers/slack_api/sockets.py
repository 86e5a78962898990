"""Two Socket Mode connections, so that one is open while Slack renews the other, and a watchdog.

An app may have up to 10 connections, and any of them may get a payload
(docs.slack.dev/apis/events-api/using-socket-mode). The SDK retries an expired ticket for ever; the watchdog makes
it ask for a new one.
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
"""Real seconds between two checks of the watchdog."""
TICKET_SECONDS = 10.0
"""Real seconds for which one ticket is tried at the start."""
DEAD_AFTER = 60.0
"""Real seconds after which a closed connection gets a new ticket."""


def count_of(message: Mapping[str, Any]) -> int | None:
    """Return how many connections Slack counts for the app. Return None if the message is not its greeting."""
    count = message.get("num_connections") if message.get("type") == "hello" else None
    return count if isinstance(count, int) else None


def _connection(app: AsyncApp, app_token: str, *gates: Gate) -> AsyncSocketModeHandler:
    """Return a connection that counts a payload as being handled until its acknowledgement is sent, a moment after
    the listener returns.
    """
    connection = AsyncSocketModeHandler(app, app_token)

    async def handle(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        with ExitStack() as handled:
            for gate in gates:
                handled.enter_context(gate.handling())
            try:
                await connection.handle(connection.client, request)
            except ConnectionResetError:
                # What was done stays. Slack tells the person that it got no answer, or sends an event again.
                log.warning("sockets.closed_before_acknowledgement", type=request.type)

    connection.client.socket_mode_request_listeners[:] = [handle]
    return connection


async def _use_our_session(client: SocketModeClient) -> None:
    """Replace the SDK's session, which follows redirects and uses the environment's proxy for every address."""
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
        ticket_seconds: float = TICKET_SECONDS,
        reload_token: Callable[[], None] | None = None,
    ) -> None:
        """`gate` counts payloads that are not yet acknowledged. `ticket_seconds` are real seconds for which one
        ticket is tried. `reload_token` reads the app token again and calls `use_secret`; it is called if a
        connection stays closed.

        Construct this inside the running event loop.
        """
        self._clock = clock
        self._ticket_seconds = ticket_seconds
        self._reload_token = reload_token
        self._gates = [Gate() for _ in range(count)]
        """What each connection is not done with."""
        self._handlers = [_connection(app, app_token, gate or Gate(), own) for own in self._gates]
        self._down: dict[int, float] = {}
        """For how many real seconds each closed connection has been closed, by its index."""
        for handler in self._handlers:
            handler.client.message_listeners.append(self._greeted)

    async def _greeted(self, _: object, message: Mapping[str, Any], __: str | None = None) -> None:
        """Warn of connections that are gone but that Slack still counts: it sends payloads to them, which get lost
        (slackapi/python-slack-sdk#1940).
        """
        count = count_of(message)
        if count is not None and count > 2 * len(self._handlers):
            log.warning("socket.too_many", connections=count, ours=len(self._handlers))
        elif count is not None:
            log.info("socket.greeted", connections=count)

    async def connect(self) -> None:
        """Open all connections. Raise SlackApiError if Slack refuses the token."""
        try:
            for handler in self._handlers:
                await self._connect(handler)
        except BaseException:
            # If the process is stopped meanwhile, the SDK would log each open connection as an error.
            await self.close()
            raise

    async def _connect(self, handler: AsyncSocketModeHandler) -> None:
        """Open one connection, with a new ticket for each try: the SDK would use the first one for ever."""
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
        """Return None: when something came last says little about open connections."""

    def many_slow(self) -> bool:
        """Return False: nobody but Slack sends anything through a connection that the bot opened."""
        return False

    def use_secret(self, app_token: str) -> None:
        """Ask for tickets with this token from now on. Open connections stay."""
        for handler in self._handlers:
            handler.client.app_token = app_token

    async def watch(self) -> None:
        """Renew tickets that no longer work, until cancelled."""
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
        """Close each connection as soon as everything that came through it is acknowledged, after at most
        `seconds` of real time.

        Slack sends what comes next through connections of other processes. A payload that it sends while it does
        not know of the closing is lost: nothing can be sent after the frame that closes.
        """
        await asyncio.gather(*map(self._close_when_done, self._handlers, self._gates, repeat(seconds)))

    async def _close_when_done(self, handler: AsyncSocketModeHandler, gate: Gate, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while gate.in_flight or not handler.client.message_queue.empty():
                    await gate.idle()
                    await self._clock.pause(0)  # the SDK takes the next message from its queue
        await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped

    async def close(self) -> None:
        for handler in self._handlers:
            await handler.close_async()  # type: ignore[no-untyped-call] # slack-bolt leaves it untyped
