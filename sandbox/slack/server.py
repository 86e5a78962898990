"""The Slack server, which serves the Web API, Socket Mode, response URLs and the control API on one port.

In HTTP mode, it also sends requests to the app.
"""

import json
import random
from collections.abc import Callable

from aiohttp import web

from sandbox.clock import SandboxClock, real_monotonic
from sandbox.clock_routes import add_clock_routes
from sandbox.faults import Faults
from sandbox.serving import Served, serve
from sandbox.slack.app_config import AppConfig
from sandbox.slack.control_people import PeopleControl
from sandbox.slack.control_workspace import WorkspaceControl
from sandbox.slack.default import default_workspace
from sandbox.slack.events import Events
from sandbox.slack.files import Files
from sandbox.slack.http_mode import HttpMode
from sandbox.slack.modals import Modals
from sandbox.slack.model import Lacks, Message
from sandbox.slack.other_apps import OtherAppsControl
from sandbox.slack.people import People
from sandbox.slack.pings import Pings
from sandbox.slack.rate_limits import RateLimits
from sandbox.slack.responses import Responses
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets
from sandbox.slack.timing import Timing
from sandbox.slack.to_app import ToApp
from sandbox.slack.triggers import Triggers
from sandbox.slack.web_api import METHODS, OPEN_CONNECTION, WebApi
from sandbox.slack.webhook import IncomingWebhook

ENDPOINTS = frozenset({*METHODS, OPEN_CONNECTION, "response_url", "socket", "upload", "webhook"})
"""The endpoints that faults can affect."""


class SlackSandbox:
    """A workspace that can be started and stopped. `sandbox.slack.default` defines its people and channels."""

    def __init__(
        self,
        clock: SandboxClock,
        *,
        app: AppConfig | None = None,
        pace: bool | float = True,
        timing: Timing | None = None,
        seed: int | None = None,
        lacks: tuple[str, ...] = (),
        monotonic: Callable[[], float] = real_monotonic,
    ) -> None:
        """Create a workspace.

        Args:
            clock: The sandbox's clock.
            app: The settings of the installed app.
            pace: The speed of the time in which rate limits are measured. False or 0 switches the limits off.
            timing: Slack's deadlines.
            seed: Makes the choice of sockets repeatable.
            lacks: The types of blocks that the workspace refuses.
            monotonic: The wall-clock time of rate limits and deadlines, in seconds.
        """
        timing = timing or Timing()
        self.workspace = default_workspace(clock, app or AppConfig())
        self.workspace.lacks = Lacks(blocks=lacks)
        self.limits = RateLimits(monotonic, float(pace))
        self.sockets = Sockets(timing, monotonic, random.Random(seed))  # noqa: S311 - it chooses connections
        self.triggers = Triggers(timing, monotonic)
        self.responses = Responses(self.workspace, self.triggers)
        self.http = HttpMode(self.workspace, timing, monotonic)
        self.to_app = ToApp(self.workspace, self.sockets, self.http)
        self.events = Events(self.workspace, self.to_app, timing)
        self.pings = Pings(self.workspace)
        self.workspace.on_message = self._message_changed
        self.people = People(self.workspace, self.to_app, self.triggers, self.responses)
        self.modals = Modals(self.workspace, self.to_app, self.triggers)
        self.files = Files(self.workspace, timing)
        self.workspace.on_file = self.events.file_shared
        self.api = WebApi(self.workspace, self.triggers, self.sockets, self.files, self.limits)
        self.webhook = IncomingWebhook(self.workspace, self.limits)
        self.faults = Faults(clock, endpoint_of=endpoint_of, known=ENDPOINTS, error_body=error_body)
        self._clock = clock
        self._served: Served | None = None

    @property
    def bot_token(self) -> str:
        """The app's bot token."""
        return self.api.bot_token

    @property
    def app_token(self) -> str:
        """The app's app-level token."""
        return self.api.app_token

    @property
    def webhook_url(self) -> str:
        """The URL of the app's incoming webhook, which posts to #gpus."""
        return self.url + self.webhook.path

    @property
    def url(self) -> str:
        """The server's URL without a trailing slash. The Web API is below `URL/api/`."""
        return self.api.url

    async def start(self, port: int = 0) -> str:
        """Start serving on 127.0.0.1, and return the URL without a trailing slash. Port 0 picks a free port."""
        self._served = await serve(self._application(), port)
        self.api.url = self.people.url = self.files.url = self._served.url
        return self._served.url

    async def stop(self) -> None:
        """Stop serving, and close every connection."""
        if self._served is not None:
            await self._served.stop()
            self._served = None

    def add_control_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes of the control API."""
        self.faults.add_routes(router)
        add_clock_routes(router, self._clock)
        PeopleControl(self.workspace, self.people, self.modals, self.pings).add_routes(router)
        OtherAppsControl(self.workspace).add_routes(router)
        WorkspaceControl(
            self.workspace,
            self.api,
            self.sockets,
            self.events,
            self.limits,
            http=self.http,
            webhook=self.webhook,
        ).add_routes(router)

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self.faults.middleware()], client_max_size=4 * 1024 * 1024)
        router = app.router
        router.add_route("*", "/api/{method}", self.api.serve)
        router.add_post("/upload/v1/{token}", self.files.receive)
        router.add_get("/files/{file}/{name}", self.files.download)
        router.add_get("/link/", self.sockets.serve)
        router.add_post("/commands/{url:.+}", self.responses.serve)
        router.add_post("/actions/{url:.+}", self.responses.serve)
        router.add_post("/services/{team}/{hook}/{secret}", self.webhook.serve)
        self.add_control_routes(router)
        self.sockets.on_envelope = self.http.on_request = self._log_envelope
        app.on_shutdown.append(self._close)
        return app

    async def _close(self, app: web.Application) -> None:
        await self.events.close()
        await self.files.close()
        await self.sockets.close()
        await self.http.close()
        await self.faults.close(app)

    def _message_changed(self, before: Message | None, after: Message) -> None:
        self.pings.message_changed(before, after)
        self.events.message_changed(before, after)

    def _log_envelope(self, direction: str, envelope: Json) -> None:
        """Log an envelope of Socket Mode, or a request of HTTP mode, under the endpoint `envelope`."""
        self.faults.traffic.add(
            "envelope", method=direction.upper(), path="/link/", raw=json.dumps(envelope).encode(), status=200
        )


def endpoint_of(request: web.Request) -> str:
    """Return the endpoint of a request, as faults and the traffic log name it."""
    first, _, rest = request.path.lstrip("/").partition("/")
    if first == "api":
        return rest
    return {
        "link": "socket",
        "commands": "response_url",
        "actions": "response_url",
        "upload": "upload",
        "services": "webhook",
    }.get(first, "unknown")


def error_body(status: int) -> Json:
    """Return the body of a `status` fault."""
    return {"ok": False, "error": "ratelimited" if status == 429 else "internal_error"}
