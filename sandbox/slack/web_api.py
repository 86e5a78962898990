"""The Web API at `/api/METHOD`: checks method, token, rate limit and scope, then calls the method.

Every response is HTTP 200 with Slack's JSON, or 429 if the rate limit is exceeded.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from sandbox.slack import api_chat, api_conversations, api_files, api_people, api_views
from sandbox.slack.arguments import ApiError, Arguments, RateLimited, read_arguments
from sandbox.slack.call import Call
from sandbox.slack.files import Files
from sandbox.slack.rate_limits import SPECIAL, TIER_2, TIER_3, TIER_4, RateLimits, Tier
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Sockets, open_connection
from sandbox.slack.state import Workspace
from sandbox.slack.triggers import Triggers

TokenState = Literal["valid", "revoked"]


@dataclass(frozen=True)
class Method:
    """A method, with the function that implements it, its rate limit, and the required scope."""

    act: Callable[[Call], Json]
    tier: Tier | None
    """The rate limit. None if the function applies its own limit."""
    scope: str | None = None
    """The required scope. None if no scope is required, or if it depends on the channel."""


METHODS: dict[str, Method] = {
    "auth.test": Method(api_people.auth_test, SPECIAL),
    "blocks.validate": Method(api_views.validate, SPECIAL),
    "chat.postEphemeral": Method(api_chat.post_ephemeral, TIER_4, "chat:write"),
    "chat.postMessage": Method(api_chat.post_message, None, "chat:write"),
    "chat.update": Method(api_chat.update, TIER_3, "chat:write"),
    "conversations.history": Method(api_conversations.history, TIER_3),
    "conversations.info": Method(api_conversations.info, TIER_3),
    "conversations.members": Method(api_conversations.members, TIER_4),
    "conversations.open": Method(api_conversations.open_, TIER_3, "im:write"),
    "conversations.replies": Method(api_conversations.replies, TIER_3),
    "files.completeUploadExternal": Method(api_files.complete_upload, TIER_4, "files:write"),
    "files.getUploadURLExternal": Method(api_files.get_upload_url, TIER_4, "files:write"),
    "files.info": Method(api_files.info, TIER_4, "files:read"),
    "usergroups.users.list": Method(api_people.usergroups_users_list, TIER_2, "usergroups:read"),
    "users.info": Method(api_people.users_info, TIER_4, "users:read"),
    "views.open": Method(api_views.open_, TIER_4),
    "views.publish": Method(api_views.publish, TIER_4),
    "views.update": Method(api_views.update, TIER_4),
}
OPEN_CONNECTION = "apps.connections.open"


class WebApi:
    """Serves the methods of the Web API."""

    def __init__(
        self, workspace: Workspace, triggers: Triggers, sockets: Sockets, files: Files, limits: RateLimits
    ) -> None:
        self._workspace = workspace
        self._triggers = triggers
        self._sockets = sockets
        self._files = files
        self._limits = limits
        self.url = ""
        self.renew_bot_token()
        self.renew_app_token()

    def renew_bot_token(self) -> None:
        """Replace the bot token with a new, valid one."""
        self.bot_token = f"xoxb-sandbox-{secrets.token_hex(8)}"
        self.bot_state: TokenState = "valid"

    def renew_app_token(self) -> None:
        """Replace the app-level token with a new, valid one."""
        self.app_token = f"xapp-1-sandbox-{secrets.token_hex(8)}"
        self.app_state: TokenState = "valid"

    async def serve(self, request: web.Request) -> web.Response:
        """Handle a call to a method."""
        name = request.match_info["method"]
        try:
            body = self._answer(name, request, await read_arguments(request))
        except ApiError as error:
            body = error.body
        except RateLimited as limited:
            return web.json_response(
                {"ok": False, "error": "ratelimited"},
                status=429,
                headers={"Retry-After": str(limited.seconds)},
            )
        return web.Response(
            text=json.dumps(body),
            content_type="application/json",
            headers={"x-oauth-scopes": ",".join(self._workspace.app.scopes)},
        )

    def _answer(self, name: str, request: web.Request, args: Arguments) -> Json:
        if name == OPEN_CONNECTION:
            return self._open_connection(request)
        method = METHODS.get(name)
        if method is None or self._is_missing(name):
            raise ApiError("unknown_method", req_method=name)
        self._check_bot_token(_token(request, args))
        if method.tier is not None:
            self._check_rate(name, method.tier)
        call = Call(self._workspace, self._triggers, self._files, self._limits, args)
        if method.scope is not None:
            call.need_scope(method.scope)
        return method.act(call)

    def _open_connection(self, request: web.Request) -> Json:
        token = _bearer(request)
        if not token:
            raise ApiError("not_authed")
        if token == self.bot_token:
            raise ApiError("not_allowed_token_type")
        if token != self.app_token:
            raise ApiError("invalid_auth")
        if self.app_state == "revoked":
            raise ApiError("token_revoked")
        self._check_rate(OPEN_CONNECTION, TIER_3)
        return open_connection(self._sockets, self.url, enabled=self._workspace.app.socket_mode)

    def _check_bot_token(self, token: str) -> None:
        if not token:
            raise ApiError("not_authed")
        if token == self.app_token:
            raise ApiError("not_allowed_token_type")
        if token != self.bot_token:
            raise ApiError("invalid_auth")
        if self.bot_state == "revoked":
            raise ApiError("token_revoked")

    def _check_rate(self, name: str, tier: Tier) -> None:
        wait = self._limits.call(name, tier)
        if wait:
            raise RateLimited(wait)

    def _is_missing(self, name: str) -> bool:
        lacks = self._workspace.lacks
        return (lacks.usergroups and name.startswith("usergroups.")) or (
            lacks.history and name in ("conversations.history", "conversations.replies")
        )


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _token(request: web.Request, args: Arguments) -> str:
    """Return the token from the header, the query or a form. Slack doesn't read tokens from JSON bodies."""
    named = None if request.content_type == "application/json" else args.text("token")
    return _bearer(request) or request.query.get("token") or named or ""
