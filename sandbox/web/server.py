"""Serves the page: its files, its WebSocket, and the control calls of all servers under one origin."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.clock_routes import add_clock_routes
from sandbox.compute import ComputeSandbox
from sandbox.github import GithubSandbox
from sandbox.serving import CONTROL, Served, check_sender, control_call, serve
from sandbox.slack import SlackSandbox
from sandbox.web.bot import Bot
from sandbox.web.live import Live
from sandbox.web.logins import Logins
from sandbox.web.program import add_program_routes

FILES = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""The security headers of the page.

Only the page's own files are loaded and executed, and no other page can embed it in a frame. Requiring trusted
types turns every use of innerHTML into an error.
"""


class Page:
    """The server of the page, for a sandbox in the same process."""

    def __init__(
        self, clock: SandboxClock, slack: SlackSandbox, compute: ComputeSandbox, github: GithubSandbox
    ) -> None:
        self._clock = clock
        self._servers: dict[str, SlackSandbox | ComputeSandbox | GithubSandbox]
        self._servers = {"slack": slack, "compute": compute, "github": github}
        self._bot = Bot(clock)
        self._live = Live(
            clock, slack, compute, self._bot, {name: server.faults for name, server in self._servers.items()}
        )
        self._served: Served | None = None

    async def start(self, port: int = 0) -> str:
        """Start serving on 127.0.0.1, and return the URL without a trailing slash. Port 0 picks a free port."""
        app = web.Application(middlewares=[_guarded])
        app.router.add_get("/", _index)
        app.router.add_get("/live", self._live.serve)
        app.router.add_static("/page", FILES)
        add_clock_routes(app.router, self._clock)
        self._bot.add_routes(app.router)
        add_program_routes(app.router, self._bot)
        Logins(self._bot).add_routes(app.router)
        for name, server in self._servers.items():
            part = web.Application()
            server.add_control_routes(part.router)
            app.add_subapp(f"/{name}", part)
        self._served = await serve(app, port)
        return self._served.url

    async def stop(self) -> None:
        """Stop serving and close every connection."""
        if self._served is not None:
            await self._served.stop()
            self._served = None


async def _index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(FILES / "index.html")


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse requests from other origins, and add the page's security headers to the response."""
    check_sender(request)
    response = await control_call(request, handler) if CONTROL in request.path else await handler(request)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response
