"""The part that all HTTP servers of the bot share: listening, and empty answers to malformed requests.

aiohttp itself answers requests that it can't parse, and some others. Its answers and log lines repeat parts of
the request. A malformed header could contain a token, so such requests get an empty answer here, and the log names
only the status.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler
from typing_extensions import override

from bot.clock import Clock

LOOK_EVERY = 0.02
"""Wall-clock seconds between two checks of whether connections are still open while a server stops."""
LOG_EVERY = 60.0
"""Wall-clock seconds between two log lines about requests that were refused for the same reason."""
BACKLOG = 128
"""The maximum number of new connections that the operating system queues until the server accepts them."""
_OURS = web.RequestKey("ours", bool)
"""Marks requests that one of the server's handlers has answered. aiohttp itself answers all other requests."""

log = structlog.get_logger("gpubot.http")


class RefusedRequests:
    """Logs refused requests, so rarely that strangers can't fill the log."""

    def __init__(self, event: str, clock: Clock, **facts: str) -> None:
        self._event = event
        self._clock = clock
        self._facts = facts
        self._logged: dict[str, float] = {}

    def note(self, why: str) -> None:
        """Log a refusal, unless one with the same reason was logged less than LOG_EVERY seconds ago.

        `why` is one of a few fixed words, and never a text from the request.
        """
        now = self._clock.monotonic()
        if now - self._logged.get(why, -LOG_EVERY) >= LOG_EVERY:
            self._logged[why] = now
            log.warning(self._event, why=why, **self._facts)


def _is_ours(record: logging.LogRecord) -> bool:
    """Return False for log records about malformed HTTP. Their tracebacks repeat parts of the request."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


class _Connection(web.RequestHandler):
    """A connection that sends an empty answer whenever aiohttp would send its own.

    aiohttp's own answers would reveal the server's software and the reason of the error to strangers.
    """

    __slots__ = ("_on_malformed",)

    def __init__(self, server: web.Server, on_malformed: Callable[[int], None], **options: Any) -> None:
        super().__init__(server, **options)
        self._on_malformed = on_malformed

    @override
    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if _OURS not in request:
            if resp.status < 500:  # otherwise a handler has failed, which aiohttp has logged
                self._on_malformed(resp.status)
            resp = web.Response(status=resp.status, headers={"Server": "-"})
            resp.force_close()
        return await super().finish_response(request, resp, start_time)


class _Closed(asyncio.Protocol):
    """A connection that is closed at once."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()


class HttpListener:
    """Listens for the requests to an application.

    The answers have no `Server` header. Requests without a route get an empty answer too, unless the application
    has a middleware that answers them.
    """

    def __init__(
        self,
        application: web.Application,
        name: str,
        clock: Clock,
        *,
        request_seconds: float | None = None,
        most_connections: int | None = None,
        shutdown_seconds: float = 60.0,
    ) -> None:
        """Create a listener that isn't listening yet.

        Args:
            application: The application, complete with its routes.
            name: The name of the setting with the address, for the log.
            clock: The clock for log lines and for `drain`.
            request_seconds: The limit for receiving a request's headers, in wall-clock seconds. If it is given,
                each connection is closed after one request, and compressed bodies are passed on as they were sent.
                If it is None, connections are kept open for further requests.
            most_connections: The number of open connections above which new ones are closed at once. None for no
                limit.
            shutdown_seconds: The time that open requests have to end when the listener is closed, in wall-clock
                seconds.
        """
        self._clock = clock
        self._request_seconds = request_seconds
        self._most_connections = most_connections
        self._malformed = RefusedRequests("http.malformed", clock, server=name)
        self._log = logging.getLogger(f"aiohttp.server.{name.lower()}")
        self._log.addFilter(_is_ours)
        application.middlewares.insert(0, self._own)
        application.on_response_prepare.append(_without_server_name)
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=shutdown_seconds
        )
        self._listening: asyncio.Server | None = None

    async def listen(self, address: str | socket.socket) -> None:
        """Start listening on HOST:PORT, or on a socket that is already bound.

        Raises OSError if the address can't be used.
        """
        await self._runner.setup()
        factory = partial(self._new_connection, cast(web.Server, self._runner.server))
        create = asyncio.get_running_loop().create_server
        try:
            if isinstance(address, socket.socket):
                self._listening = await create(factory, sock=address, backlog=BACKLOG)
            else:
                host, _, port = address.rpartition(":")
                self._listening = await create(factory, host.strip("[]"), int(port), backlog=BACKLOG)
        except OSError:
            await self._runner.cleanup()
            raise

    @property
    def listening(self) -> bool:
        return self._listening is not None and self._listening.is_serving()

    @property
    def addresses(self) -> list[Any]:
        """The addresses on which the server listens, as `socket.getsockname` returns them."""
        return [each.getsockname() for each in self._listening.sockets] if self._listening is not None else []

    def stop_listening(self) -> None:
        """Accept no further connections. Requests on open connections are still answered."""
        if self._listening is not None:
            self._listening.close()

    async def drain(self, seconds: float) -> None:
        """Stop listening, then wait until the requests on open connections are answered.

        Waits at most `seconds` of wall-clock time.
        """
        self.stop_listening()
        until = self._clock.monotonic() + seconds
        while self._runner.server and self._runner.server.connections and self._clock.monotonic() < until:
            await self._clock.pause(LOOK_EVERY)

    async def close(self) -> None:
        self.stop_listening()
        await self._runner.cleanup()

    def _new_connection(self, server: web.Server) -> asyncio.Protocol:
        if self._most_connections is not None and len(server.connections) >= self._most_connections:
            self._malformed.note("too many connections")
            return _Closed()
        options: dict[str, Any] = {}
        if self._request_seconds is not None:
            # aiohttp has no limit of its own for the headers of a connection's first request. The limit for idle
            # connections also applies to it.
            options = {"keepalive_timeout": self._request_seconds, "lingering_time": self._request_seconds}
            options["auto_decompress"] = False
        return _Connection(
            server,
            lambda status: self._malformed.note(str(status)),
            loop=asyncio.get_running_loop(),
            access_log=None,
            logger=self._log,
            **options,
        )

    @web.middleware
    async def _own(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Mark the requests that the application answers, as opposed to aiohttp."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = error
            if request.match_info.http_exception is None:
                request[_OURS] = True
            self._end_connection(response)
            raise
        request[_OURS] = True
        self._end_connection(response)
        return response

    def _end_connection(self, response: web.StreamResponse) -> None:
        if self._request_seconds is not None:
            response.force_close()


async def _without_server_name(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
