"""HTTP mode: a server for Slack's signed requests, on an address of its own. The response is the acknowledgement.

A connection carries one request. So no connection is idle when the server stops, and a load balancer never sends a
request into one that closes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.clock import Clock
from bot.errors import Unusable
from handlers.slack_api.gate import Gate

Outcome = Literal["answered", "unsigned", "stale", "too_large", "slow", "cut"]
"""How a request ended. All but `answered` are refused before anything reads what the request says."""

MOST_BYTES = 1024 * 1024
MOST_BODIES = 50
"""How many bodies are read at a time. The others wait, so that strangers can't fill the memory."""
REQUEST_SECONDS = 10.0
"""Real seconds that a request may take to arrive: its headers, and then its body."""
OLDEST_SECONDS = 300
"""How far a signature's time may be from ours (docs.slack.dev/authentication/verifying-requests-from-slack)."""
LOG_EVERY = 60.0
"""Real seconds between two log lines about requests that were refused for the same reason."""
LOOK_EVERY = 0.02
"""Real seconds between two looks whether a connection is still open, while the server stops."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)

log = structlog.get_logger("gpubot.http")


def _is_ours(record: logging.LogRecord) -> bool:
    """Return False for what aiohttp logs of a request that is no HTTP: anybody can send such, as often as they
    like."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


_server_log = logging.getLogger("aiohttp.server.slack")
_server_log.addFilter(_is_ours)


class HttpServer:
    """The server of one process."""

    def __init__(
        self,
        app: AsyncApp,
        signing_secret: str,
        address: str,
        clock: Clock,
        *,
        gate: Gate | None = None,
        request_seconds: float = REQUEST_SECONDS,
        on_request: Callable[[Outcome], None] = lambda _: None,
        clock_ahead: Callable[[], timedelta] = timedelta,
    ) -> None:
        """`address` is HOST:PORT. `gate` counts requests that are not yet answered. `on_request` is called once
        for each request. `clock_ahead` tells by how much this machine's clock is ahead of a right one."""
        self._app = app
        self._secret = signing_secret
        self._address = address
        self._clock = clock
        self._gate = gate or Gate()
        self._request_seconds = request_seconds
        self._on_request = on_request
        self._clock_ahead = clock_ahead
        self._reading = asyncio.Semaphore(MOST_BODIES)
        self._logged: dict[Outcome, float] = {}
        self._signed_at: float | None = None
        application = web.Application(client_max_size=MOST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._serve)
        application.on_response_prepare.append(_without_server_name)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_server_log,
            auto_decompress=False,  # the signature is that of the bytes that are sent
            keepalive_timeout=request_seconds,  # for the headers of a connection's only request
            lingering_time=request_seconds,
            shutdown_timeout=LOOK_EVERY,
        )

    async def connect(self) -> None:
        """Listen. Raise Unusable if the address can't be used."""
        await self._runner.setup()
        host, _, port = self._address.rpartition(":")
        try:
            await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()
        except OSError as error:
            await self._runner.cleanup()
            raise Unusable(f"GPUBOT_SLACK_HTTP: I can't listen on {self._address}: {error.strerror}.") from None

    async def connected(self) -> int:
        """Return 1 while the server listens, else 0."""
        return len(self._runner.sites)

    def since_request(self) -> float | None:
        """Return how many real seconds ago the last signed request came. Return None if none has come."""
        return None if self._signed_at is None else self._clock.monotonic() - self._signed_at

    def use_secret(self, signing_secret: str) -> None:
        """Check signatures with this secret from now on."""
        self._secret = signing_secret

    async def watch(self) -> None:
        """Do nothing: a server needs no renewal."""

    async def drain(self, seconds: float) -> None:
        """Stop listening, then answer the requests on open connections, for at most `seconds` of real time."""
        for site in self._runner.sites:
            await site.stop()
        until = self._clock.monotonic() + seconds
        while self._runner.server and self._runner.server.connections and self._clock.monotonic() < until:
            await self._clock.pause(LOOK_EVERY)

    async def close(self) -> None:
        """Close all connections. Don't wait for requests that are being handled."""
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        with self._gate.handling():
            response = await self._answer(request)
        response.force_close()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        """Return Bolt's answer. Refuse a request that is not signed without a word about what is wrong with it."""
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not signature or not _TIMESTAMP.fullmatch(timestamp):
            return self._refuse("unsigned", 401)
        now = self._clock.real() - self._clock_ahead()
        if abs(now.timestamp() - int(timestamp)) > OLDEST_SECONDS:
            return self._refuse("stale", 401)
        if (request.content_length or 0) > MOST_BYTES:
            return self._refuse("too_large", 413)
        try:
            async with asyncio.timeout(self._request_seconds), self._reading:
                body = await request.read()
        except TimeoutError:
            return self._refuse("slow", 408)
        except web.HTTPRequestEntityTooLarge:
            return self._refuse("too_large", 413)
        except (OSError, web.RequestPayloadError):
            return self._refuse("cut", 400)
        if not self._is_signed(timestamp, body, signature):
            return self._refuse("unsigned", 401)
        self._signed_at = self._clock.monotonic()
        self._on_request("answered")
        bolt_request = AsyncBoltRequest(
            body=body.decode(errors="replace"), query=request.query_string, headers=dict(request.headers)
        )
        return await to_aiohttp_response(await self._app.async_dispatch(bolt_request))

    def _is_signed(self, timestamp: str, body: bytes, signature: str) -> bool:
        """Return whether Slack signed these bytes. How long that takes shows nothing of the signature.

        Not by the SDK's verifier: it raises at bytes that are no UTF-8 and at signatures that are no ASCII.
        """
        signed = b"v0:%s:%s" % (timestamp.encode(), body)
        expected = f"v0={hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()}"
        return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))

    def _refuse(self, outcome: Outcome, status: int) -> web.Response:
        self._on_request(outcome)
        now = self._clock.monotonic()
        if now - self._logged.get(outcome, -LOG_EVERY) >= LOG_EVERY:
            self._logged[outcome] = now
            log.warning("slack.request_refused", why=outcome)
        return web.Response(status=status)


async def _without_server_name(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)
