"""The HTTP server on GPUBOT_HTTP, for operators, monitors, the watchdog and tests: `/health`, `/live`, `/ready`,
`/metrics` and `/machines`.
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
from bot.net.machines_proof import NONCE_HEADER, SCHEME, SIGNATURE_HEADER, is_same, is_signed_request, sign_answer

log = structlog.get_logger("gpubot.health")

Report = dict[str, Any]
LONGEST_WAIT = 60.0
"""How many real seconds a request to /health may wait."""
READ_EVERY = 0.02
"""Real seconds between two reports while a request waits."""
MOST_WAITERS = 3
"""How many requests may wait. Each may read the store 50 times a second, so a further request is answered at
once."""


class Machines(NamedTuple):
    """What /machines answers, and the token by which the watchdog and the bot recognize each other."""

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
) -> web.AppRunner:
    """Start the server and return its runner, which the caller must clean up.

    `report` returns the answer of /health, `exposition` that of /metrics, and `ready` whether Slack's requests can
    be sent here. Without `ready` or `machines` there is no /ready or /machines. While `works` returns True,
    nothing is settled, and a request that waits reads no report. Raise OSError if the port is taken.
    """
    waiting = 0

    async def health(request: web.Request) -> web.Response:
        """Answer with the report; status 503 if the bot is not well.

        With `settled=REV&wait=S`, wait until everything is settled at that revision of the clock or a later one:
        at most S real seconds, and not at all if MOST_WAITERS requests wait already.
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
        """Answer while the event loop turns. A lost database, or a refused token, is no reason to restart the
        process.
        """
        return web.Response(text="live")

    async def read_ready(_: web.Request) -> web.Response:
        """Answer 200 while a load balancer can send Slack's requests here, and 503 from the moment at which the
        process begins to stop. Trouble with the database doesn't count: people are told of it.
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
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    host, _, port = address.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


def _answer(report: Report) -> web.Response:
    """Return a report as JSON; status 503 if it says that the bot is not well."""
    return web.json_response(report, status=200 if report.get("well", True) else 503)


def _machines_handler(machines: Machines) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of /machines. It signs each answer to a signed request.

    For one release it also answers a watchdog of the release before, which sends the token itself and expects no
    signature.
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
    """Return a number of seconds. Raise ValueError for anything else, and for `nan`: no deadline would end it."""
    seconds = float(text)
    if math.isnan(seconds):
        raise ValueError
    return seconds
