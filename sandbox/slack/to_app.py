"""Sends interactions and events to the app, through Socket Mode or HTTP requests depending on its settings."""

from sandbox.slack.http_mode import HttpMode
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Answer, Sockets
from sandbox.slack.state import Workspace


class ToApp:
    """The channel to the app. While Socket Mode is enabled, nothing is sent to the request URLs."""

    def __init__(self, workspace: Workspace, sockets: Sockets, http: HttpMode) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._http = http

    @property
    def connected(self) -> bool:
        """True if the app can be reached: it has open connections, or request URLs in HTTP mode."""
        app = self._workspace.app
        return bool(self._sockets.connections if app.socket_mode else app.request_urls)

    async def deliver(
        self, kind: str, payload: Json, *, answers: bool, retry: int | None = None, reason: str = ""
    ) -> Answer:
        """Send a payload, and wait for its acknowledgement. See `Sockets.deliver` and `HttpMode.deliver`."""
        app = self._workspace.app
        if kind == "interactive" and not app.interactivity:
            return Answer("interactivity_disabled")
        way = self._sockets if app.socket_mode else self._http
        return await way.deliver(kind, payload, answers=answers, retry=retry, reason=reason)
