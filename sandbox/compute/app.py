"""The Compute Clear server: the API, its control calls, and the SSH hosts of the rented machines."""

from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.clock_routes import add_clock_routes
from sandbox.compute.api import Api, problems
from sandbox.compute.control import Control
from sandbox.compute.hosts import Hosts
from sandbox.compute.market import Market
from sandbox.faults import Faults
from sandbox.serving import Served, serve

DEFAULT_TOKEN = "compute-sandbox-token"  # noqa: S105 - it opens nothing but this sandbox


class ComputeSandbox:
    """The Compute Clear API on this machine. `token` is the initial token of its only account."""

    def __init__(self, clock: SandboxClock, *, token: str = DEFAULT_TOKEN, seed: int | None = None) -> None:
        """Create the server. With a `seed`, the ids of offers and resources are the same in every run."""
        self.clock = clock
        self.market = Market(seed)
        self._hosts = Hosts(clock, self.market.schedule)
        self._api = Api(self.market, self._hosts, token)
        self.control = Control(self.market, self._hosts, self._api)
        self.faults = Faults(clock, known=self._api.operations)
        self._served: Served | None = None

    @property
    def token(self) -> str:
        """The account's current token."""
        return self._api.token

    async def start(self, port: int = 0) -> str:
        """Start serving on 127.0.0.1, and return the URL without a trailing slash. Port 0 picks a free port."""
        app = web.Application(middlewares=[self.faults.middleware(), problems()])
        self._api.add_routes(app.router)
        self.add_control_routes(app.router)
        app.on_shutdown.append(self.faults.close)
        self._served = await serve(app, port)
        self._hosts.start()
        return self._served.url

    @property
    def url(self) -> str:
        """The server's URL; empty while it isn't serving."""
        return self._served.url if self._served else ""

    async def stop(self) -> None:
        """Close every connection, and stop every SSH host."""
        if self._served is not None:
            await self._served.stop()
            self._served = None
        await self._hosts.stop()

    def add_control_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes of the control API."""
        add_clock_routes(router, self.clock)
        self.faults.add_routes(router)
        self.control.add_routes(router)
