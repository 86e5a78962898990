"""`/health` and `/metrics` on GPUBOT_HTTP: what the bot is doing, for people, monitors, and whoever moves time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.clock import Clock

Report = dict[str, Any]
LONGEST_WAIT = 60.0
LOOK_AGAIN = 0.02
"""Real seconds."""


async def serve(
    address: str, clock: Clock, report: Callable[[], Awaitable[Report]], figures: Callable[[], Awaitable[bytes]]
) -> web.AppRunner:
    """Starts the server and returns its runner, to be cleaned up. `figures` is what /metrics says. Raises OSError
    where the port is taken."""

    async def health(request: web.Request) -> web.Response:
        """With `settled=REV&wait=S`, answers once all is settled at that revision of the clock or a later one, or
        after S real seconds. The status is 503 if the bot is not well."""
        try:
            revision = int(request.query.get("settled", "-1"))
            wait = min(float(request.query.get("wait", "0")), LONGEST_WAIT)
        except ValueError:
            raise web.HTTPBadRequest(text="settled is a whole number, wait is in seconds") from None
        said = await report()
        while wait > 0 and not (said["settled"] and said["clock"]["revision"] >= revision):
            await clock.pause(LOOK_AGAIN)
            wait -= LOOK_AGAIN
            said = await report()
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
