"""`/health` and `/metrics` on GPUBOT_HTTP: what the bot is doing, for people, monitors, and whoever moves time."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.clock import Clock

Report = dict[str, Any]
LONGEST_WAIT = 60.0
LOOK_AGAIN = 0.02
"""Real seconds."""
MOST_WAITERS = 3
"""Each waiter reads the store fifty times a second. A further one is answered at once."""


async def serve(
    address: str, clock: Clock, report: Callable[[], Awaitable[Report]], figures: Callable[[], Awaitable[bytes]]
) -> web.AppRunner:
    """Starts the server and returns its runner, to be cleaned up. `figures` is what /metrics says. Raises OSError
    where the port is taken."""
    waiting = 0

    async def health(request: web.Request) -> web.Response:
        """With `settled=REV&wait=S`, answers once all is settled at that revision of the clock or a later one.

        Answers as it is after S real seconds, and at once if MOST_WAITERS wait already. The status is 503 if the
        bot is not well.
        """
        nonlocal waiting
        try:
            revision = int(request.query.get("settled", "-1"))
            wait = min(_seconds(request.query.get("wait", "0")), LONGEST_WAIT)
        except ValueError:
            raise web.HTTPBadRequest(text="settled is a whole number, wait is in seconds") from None
        until = clock.monotonic() + wait
        said = await report()
        if waiting < MOST_WAITERS:
            waiting += 1
            try:
                while not (said["settled"] and said["clock"]["revision"] >= revision):
                    if clock.monotonic() >= until or request.transport is None:  # None: the client has left
                        break
                    await clock.pause(LOOK_AGAIN)
                    said = await report()
            finally:
                waiting -= 1
        return web.json_response(said, status=200 if said.get("well", True) else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await figures(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    host, _, port = address.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


def _seconds(text: str) -> float:
    """Return a number of seconds. Raise ValueError for anything else, also for `nan`: no clock ever reaches it."""
    seconds = float(text)
    if math.isnan(seconds):
        raise ValueError
    return seconds
