"""The scopes of the bot's token and their purposes. `manifest.yml` requests the same scopes.

Scopes of each method and event: docs.slack.dev/reference/methods and docs.slack.dev/reference/events.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import structlog
from slack_sdk.web.async_slack_response import AsyncSlackResponse

log = structlog.get_logger("gpubot")

NEEDED: Mapping[str, str] = MappingProxyType(
    {
        "commands": "/gpu",
        "chat:write": "cards, threads and direct messages",
        "channels:read": "whether I am in a channel, and who else reads it",
        "groups:read": "the same for private channels",
        "channels:history": "after a crash, whether a message was posted",
        "groups:history": "the same in private channels",
        "im:history": "the same in direct messages",
        "im:write": "opening direct messages",
        "users:read": "names, time zones, guests, who has left",
        "usergroups:read": "groups that the policy names",
    }
)
OPTIONAL: Mapping[str, str] = MappingProxyType(
    {
        "app_mentions:read": "@gpubot extend 2h in channels and threads",
        "files:write": "sending the files of months",
    }
)
"""Scopes that were added later, so that apps installed with an older manifest.yml lack them.

If one of these scopes is missing, only the feature that needs it is unavailable.
"""
ADD_SCOPES = "Paste manifest.yml again at api.slack.com/apps, App Manifest, then Reinstall."


def granted_scopes(answer: AsyncSlackResponse) -> frozenset[str] | None:
    """Read the scopes of the bot's token from an answer of auth.test.

    None if the server doesn't send the scopes. Slack always does, but a sandbox or a test server may not.
    """
    header: str | None = answer.headers.get("x-oauth-scopes")
    return None if header is None else frozenset(scope.strip() for scope in header.split(",") if scope.strip())


def missing(scopes: Mapping[str, str], granted: frozenset[str]) -> dict[str, str]:
    """Return the scopes that haven't been granted, each with its purpose."""
    return {scope: purpose for scope, purpose in scopes.items() if scope not in granted}


def log_missing_scopes(answer: AsyncSlackResponse) -> None:
    """Log a warning for each scope that the bot's token lacks according to an answer of auth.test."""
    granted = granted_scopes(answer)
    if granted is None:
        return
    for scope, purpose in missing({**NEEDED, **OPTIONAL}, granted).items():
        log.warning("slack.scope_missing", scope=scope, purpose=purpose, add=ADD_SCOPES)
