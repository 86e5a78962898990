"""The HTTP server on GPUBOT_HTTP for operators, monitoring, the watchdog and tests.

It serves `/health`, `/live`, `/ready`, `/metrics` and `/machines`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import SecretStr

from bot.clock import Clock
from bot.net.http_listener import HttpListener
from bot.net.machines_proof import NONCE_HEADER, SCHEME, SIGNATURE_HEADER, is_same, is_signed_request, sign_answer

log = structlog.get_logger("gpubot.health")

Report = dict[str, Any]
LONGEST_WAIT = 60.0
"""The maximum time in seconds (wall clock) that a request to /health can wait."""
READ_EVERY = 0.02
"""The time in seconds (wall clock) between two checks whether a waiting request can be answered."""
MOST_WAITERS = 3
"""The maximum number of requests that can wait at the same time. Any additional request is answered immediately.

The limit exists because each waiting request can read the store 50 times a second.
"""


class Machines(NamedTuple):
    """The answer of /machines, and the token with which watchdog and bot prove their identity to each other."""

    read: Callable[[], Awaitable[Report]]
    token: SecretStr


async def serve(
    address: str,
    clock: Clock,
    report: Callable[[], Awaitable[Report]],
    exposition: Callable[[], Awaitable[bytes]],
    works: Callable[[], bool],
    *,
    ready: Callable[[], Awaitable[bool]] | None = None,
    machines: Machines | None = None,
) -> HttpListener:
    """Start the server, and return its listener, which the caller must close.

    Args:
        address: The host and port to listen on.
        clock: The clock whose revision a request for /health can wait for.
        report: Returns the answer of /health.
        exposition: Returns the answer of /metrics.
        works: Returns whether work is in progress. A request for /health can wait until there is none.
        ready: Returns whether Slack's requests can be sent to this process. Without this function, /ready isn't
            served.
        machines: The answer of /machines. If None, /machines isn't served.

    Raises:
        OSError: The port is in use.
    """
    waiting = 0

    async def health(request: web.Request) -> web.Response:
        """Respond with the report. The status is 503 if the report says that the bot isn't working properly.

        With `settled=REV&wait=S`, the response is delayed until all work is done and the clock's revision is REV
        or higher. The revision is a number that increases whenever the clock is set. The delay is at most S
        seconds of wall-clock time. If MOST_WAITERS other requests are already waiting, there is no delay.
        """
        nonlocal waiting
        try:
            revision = int(request.query.get("settled", "-1"))
            wait = min(_seconds(request.query.get("wait", "0")), LONGEST_WAIT)
        except ValueError:
            raise web.HTTPBadRequest(text="settled is a whole number, wait is in seconds") from None
        until = clock.monotonic() + wait
        may_wait = wait > 0 and waiting < MOST_WAITERS
        waiting += may_wait
        try:
            while True:
                ends = not may_wait or request.transport is None or clock.monotonic() >= until
                if ends or not works():
                    current = await report()
                    settled = current["settled"] and current["clock"]["revision"] >= revision
                    if settled or ends or clock.monotonic() >= until:
                        break
                await clock.pause(READ_EVERY)
        finally:
            waiting -= may_wait
        return _answer(current)

    async def live(_: web.Request) -> web.Response:
        """Respond as long as the event loop is running.

        A supervisor can query this to find out whether the process has to be restarted. Nothing else is checked,
        because a restart wouldn't help if the database is lost or a token is refused.
        """
        return web.Response(text="live")

    async def read_ready(_: web.Request) -> web.Response:
        """Respond with 200 while a load balancer can send Slack's requests here.

        Once the process begins to stop, the status is 503. The status stays 200 while the database is unavailable,
        so that people in Slack get a message about the problem.
        """
        if ready is not None and await ready():
            return web.Response(text="ready")
        return web.Response(text="not ready", status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/live", live), web.get("/metrics", metrics)])
    if ready is not None:
        app.router.add_get("/ready", read_ready)
    if machines is not None:
        app.router.add_get("/machines", _machines_handler(machines))
    listener = HttpListener(app, "GPUBOT_HTTP", clock)
    await listener.listen(address)
    return listener


def _answer(report: Report) -> web.Response:
    """Return a report as JSON. The status is 503 if the report says that the bot isn't working properly."""
    return web.json_response(report, status=200 if report.get("well", True) else 503)


def _machines_handler(machines: Machines) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Create the handler of /machines, which signs each answer to a signed request.

    For one release, it also answers a watchdog of the previous release, which sends the token itself and expects
    no signature.
    """
    warned = False

    async def read_machines(request: web.Request) -> web.Response:
        nonlocal warned
        headers, token = request.headers, machines.token
        nonce = headers.get(NONCE_HEADER, "")
        if is_signed_request(token, nonce, headers.get(SIGNATURE_HEADER, "")):
            answer = _answer(await machines.read())
            body = answer.body if isinstance(answer.body, bytes) else b""
            answer.headers[SIGNATURE_HEADER] = sign_answer(token, nonce, answer.status, body)
            return answer
        if is_same(f"Bearer {token.get_secret_value()}", headers.get("Authorization", "")):
            if not warned:
                warned = True
                log.warning("machines.watchdog_is_older", hint="It sends its token itself: upgrade the watchdog.")
            return _answer(await machines.read())
        raise web.HTTPUnauthorized(text="no valid signature", headers={"WWW-Authenticate": SCHEME})

    return read_machines


def _seconds(text: str) -> float:
    """Parse a number of seconds.

    Raises ValueError for any other text. `nan` is refused too, because the request would wait forever.
    """
    seconds = float(text)
    if math.isnan(seconds):
        raise ValueError
    return seconds
