"""An incoming webhook: a secret URL that posts to #gpus.

Rules: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. The status codes are documented
in https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks. Responses are plain text.
The body can't select another channel.
"""

import secrets
from typing import Literal

from aiohttp import web

from sandbox.slack.arguments import ApiError, Arguments
from sandbox.slack.call import content
from sandbox.slack.default import GPUS
from sandbox.slack.rate_limits import RateLimits
from sandbox.slack.responses import read_body
from sandbox.slack.state import BOT_USER, TEAM, Workspace

WebhookState = Literal["valid", "removed"]


class IncomingWebhook:
    """Posts the messages that are sent to the webhook's URL."""

    def __init__(self, workspace: Workspace, limits: RateLimits) -> None:
        self._workspace = workspace
        self._limits = limits
        self._secret = secrets.token_hex(12)
        self.state: WebhookState = "valid"

    @property
    def path(self) -> str:
        """The path of the webhook's URL."""
        return f"/services/{TEAM}/B0HOOK000/{self._secret}"

    async def serve(self, request: web.Request) -> web.Response:
        """Handle a POST. Respond with 200 and `ok`, or with another status and Slack's error code."""
        if request.match_info["team"] != TEAM:
            return web.Response(status=404, text="no_team")
        if request.path != self.path:
            return web.Response(status=403, text="invalid_token")
        channel = self._workspace.channels[GPUS]
        if self.state == "removed":
            return web.Response(status=404, text="no_service")
        if channel.archived:
            return web.Response(status=410, text="channel_is_archived")
        wait = self._limits.post(channel.id)
        if wait:
            return web.Response(status=429, text="rate_limited", headers={"Retry-After": str(wait)})
        try:
            posted = content(self._workspace, Arguments(await read_body(request)))
        except ApiError as error:
            return web.Response(status=400, text=error.code)
        self._workspace.post(channel, BOT_USER, posted.text or "", blocks=posted.blocks or [])
        return web.Response(text="ok")
