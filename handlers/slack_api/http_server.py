"""HTTP mode: a server for Slack's signed requests, which listens on its own address.

The response to a request is also its acknowledgement. Each connection is closed after one request. If a load
balancer could reuse connections, it might send a request through an idle connection just when this process stops
and closes that connection. The request would be lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.clock import Clock
from bot.errors import Unusable
from bot.net.http_listener import LOOK_EVERY, HttpListener, RefusedRequests
from handlers.slack_api.gate import Gate

Outcome = Literal["answered", "unsigned", "stale", "too_large", "slow", "cut"]
"""The outcome of a request.

For each outcome except `answered`, the request was refused before its body was parsed.
"""

MOST_BYTES = 1024 * 1024
MOST_UNFINISHED = 64 * 1024 * 1024
"""The maximum size of all incomplete bodies together, in bytes. It prevents strangers from filling the memory."""
REQUEST_SECONDS = 3.0
"""The limit for receiving the headers of a request, in wall-clock seconds. The body has the same limit.

Waiting longer is pointless, because Slack gives up after 3 seconds without an acknowledgement
(docs.slack.dev/interactivity/handling-user-interaction).
"""
OLDEST_SECONDS = 300
"""The maximum age of a signed request, in seconds.

The limit prevents an attacker from recording a request and sending it again later. See
docs.slack.dev/authentication/verifying-requests-from-slack.
"""
FEW_SLOW = 50
"""The smallest number of slow requests in five minutes that `/health` reports as a problem."""
_BUCKET = 10.0
"""The length of each period for which outcomes are counted, in wall-clock seconds."""
_BUCKETS = 30
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class TooLarge(Exception):
    """A body is larger than MOST_BYTES."""


class Bodies:
    """Reads the bodies of requests, before it is known whether Slack sent them.

    All incomplete bodies together may take up MOST_UNFINISHED bytes. If they become larger, the oldest bodies are
    dropped.

    Deliberately, the number of bodies isn't limited. Strangers could reach such a limit with requests whose bodies
    never arrive. The server would then refuse Slack's requests. A limit for each address wouldn't help, because
    behind a proxy all requests come from the same address.
    """

    def __init__(self) -> None:
        self._arriving: dict[asyncio.Timeout, int] = {}
        """For each incomplete body, the number of bytes that have arrived so far, oldest body first.

        Each key is the timeout for receiving the body. The server drops a body by letting its timeout expire.
        """
        self._held = 0

    async def read(self, request: web.Request, seconds: float) -> bytes:
        """Return the body of a request.

        Raises:
            TimeoutError: The body took longer than `seconds` of wall-clock time to arrive, or the body was
                dropped. The oldest body is dropped when all incomplete bodies together become too large.
            TooLarge: The body is larger than MOST_BYTES.
            OSError: The connection was interrupted.
            web.RequestPayloadError: The body is incomplete.
        """
        body = bytearray()
        async with asyncio.timeout(seconds) as time_left:
            self._arriving[time_left] = 0
            try:
                async for part in request.content.iter_any():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise TooLarge
                    self._count(time_left, len(part))
            finally:
                self._held -= self._arriving.pop(time_left, 0)
        return bytes(body)

    def _count(self, time_left: asyncio.Timeout, size: int) -> None:
        """Count more bytes of a body. If all bodies together have become too large, drop the oldest ones."""
        if time_left in self._arriving:
            self._arriving[time_left] += size
            self._held += size
        while self._held > MOST_UNFINISHED:
            oldest = next(iter(self._arriving))
            self._held -= self._arriving.pop(oldest)
            if not oldest.expired():
                oldest.reschedule(0.0)


class RecentOutcomes:
    """Counts how often each outcome occurred in the last five minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: deque[tuple[int, Counter[Outcome]]] = deque(maxlen=_BUCKETS)

    def count(self, outcome: Outcome) -> None:
        bucket = self._bucket_now()
        if not self._buckets or self._buckets[-1][0] != bucket:
            self._buckets.append((bucket, Counter()))
        self._buckets[-1][1][outcome] += 1

    def many_slow(self) -> bool:
        """Return whether many requests arrived too slowly to be answered.

        This is the case if there were at least FEW_SLOW such requests, and if they outnumber the answered
        requests.
        """
        oldest = self._bucket_now() - _BUCKETS + 1
        recent = [counts for bucket, counts in self._buckets if bucket >= oldest]
        slow, answered = (sum(counts[outcome] for counts in recent) for outcome in ("slow", "answered"))
        return slow >= FEW_SLOW and slow > answered

    def _bucket_now(self) -> int:
        return int(self._clock.monotonic() // _BUCKET)


class HttpServer:
    """The HTTP server of one process."""

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
        """Create a server that isn't listening yet.

        Args:
            address: HOST:PORT.
            gate: Counts requests that haven't been answered yet.
            on_request: Called once for each request, with its outcome.
            clock_ahead: Returns by how much this machine's clock is ahead of the correct time.
        """
        self._app = app
        self._secret = signing_secret
        self._address = address
        self._clock = clock
        self._gate = gate or Gate()
        self._request_seconds = request_seconds
        self._on_request = on_request
        self._clock_ahead = clock_ahead
        self._bodies = Bodies()
        self._recent = RecentOutcomes(clock)
        self._refused = RefusedRequests("slack.request_refused", clock)
        self._signed_at: float | None = None
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._listener = HttpListener(
            application,
            "GPUBOT_SLACK_HTTP",
            clock,
            request_seconds=request_seconds,
            shutdown_seconds=LOOK_EVERY,
        )

    async def connect(self) -> None:
        """Start listening.

        Raises Unusable if the address can't be used.
        """
        try:
            await self._listener.listen(self._address)
        except OSError as error:
            raise Unusable(f"GPUBOT_SLACK_HTTP: I can't listen on {self._address}: {error.strerror}.") from None

    async def connected(self) -> int:
        """Return 1 while the server is listening, otherwise 0."""
        return int(self._listener.listening)

    def since_request(self) -> float | None:
        return None if self._signed_at is None else self._clock.monotonic() - self._signed_at

    def many_slow(self) -> bool:
        return self._recent.many_slow()

    def use_secret(self, signing_secret: str) -> None:
        self._secret = signing_secret

    async def watch(self) -> None:
        """Return immediately, because an HTTP server needs no maintenance."""

    async def drain(self, seconds: float) -> None:
        """Stop listening, then wait until the requests on open connections are answered.

        Waits at most `seconds` of wall-clock time.
        """
        await self._listener.drain(seconds)

    async def close(self) -> None:
        await self._listener.close()

    async def _serve(self, request: web.Request) -> web.Response:
        with self._gate.handling():
            return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.Response:
        """Return Bolt's answer to a request from Slack.

        A request that Slack didn't sign gets an empty response that doesn't reveal the reason.
        """
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
            body = await self._bodies.read(request, self._request_seconds)
        except TimeoutError:
            return self._refuse("slow", 408)
        except TooLarge:
            return self._refuse("too_large", 413)
        except (OSError, web.RequestPayloadError):
            return self._refuse("cut", 400)
        if not self._is_signed(timestamp, body, signature):
            return self._refuse("unsigned", 401)
        self._signed_at = self._clock.monotonic()
        self._note("answered")
        try:
            bolt_request = AsyncBoltRequest(
                body=body.decode(errors="replace"), query=request.query_string, headers=dict(request.headers)
            )
        except (ValueError, AttributeError, TypeError):  # Bolt fails for a JSON body that isn't an object
            return web.Response(status=400)
        return await to_aiohttp_response(await self._app.async_dispatch(bolt_request))

    def _is_signed(self, timestamp: str, body: bytes, signature: str) -> bool:
        """Return whether Slack signed this body.

        The comparison takes the same time for every wrong signature. Otherwise, an attacker could guess a
        signature by measuring the time. The SDK's own verifier isn't used, because it raises an exception for a
        body that isn't UTF-8 or a signature that isn't ASCII.
        """
        signed = b"v0:%s:%s" % (timestamp.encode(), body)
        expected = f"v0={hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()}"
        return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))

    def _note(self, outcome: Outcome) -> None:
        self._recent.count(outcome)
        self._on_request(outcome)

    def _refuse(self, outcome: Outcome, status: int) -> web.Response:
        self._note(outcome)
        self._refused.note(outcome)
        return web.Response(status=status)
