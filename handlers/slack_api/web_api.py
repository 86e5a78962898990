"""Creates the client for Slack's Web API, and interprets the errors that its calls raise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

NO_ANSWER: tuple[type[Exception], ...] = (
    SlackClientError,
    aiohttp.ClientError,
    OSError,  # includes timeouts
    ValueError,
    AttributeError,  # raised by the SDK if the answer is JSON but not an object
    RecursionError,  # JSON nested too deeply to parse, or to quote in the SDK's error
)

RATE_LIMITED = frozenset({"ratelimited", "rate_limited"})
"""The error codes for calls that exceed a rate limit.

docs.slack.dev/reference/methods/chat.postMessage lists both spellings.
"""
_TEMPORARY = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)
TOKEN_REFUSED = frozenset(
    {
        "invalid_auth",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
    }
)
"""Error codes which mean that Slack refuses the bot's token for every call."""
_POINTER = re.compile(r"\[json-pointer:([^\]]*)\]")
TOKEN_RETRY = timedelta(minutes=1)
"""Wall-clock time between two attempts to use a token that Slack has refused."""


def slack_client(token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a client that doesn't use the SDK's own retries.

    `session` controls the use of proxies and redirects.
    """
    client = AsyncWebClient(token=token, base_url=base_url, session=session, retry_handlers=[])
    # By default, Slack's SDK uses the proxy that the environment variables name, even if they exclude Slack's
    # address from the use of a proxy. Switch this off, because `session` selects the right proxy.
    client.proxy = None
    return client


def refusal(code: str, status: int, headers: dict[str, str]) -> SlackApiError:
    """Return a SlackApiError for a refusal from another part of Slack, such as a `response_url`.

    Callers can thus handle it like an error of the Web API.
    """
    nothing: dict[str, Any] = {"client": None, "http_verb": "POST", "api_url": "", "req_args": {}}
    data = {"ok": False, "error": code}
    answer = AsyncSlackResponse(**nothing, data=data, headers=headers, status_code=status)
    return SlackApiError(code, answer)  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


def is_temporary(error: SlackApiError) -> bool:
    """Return whether the same call may succeed later.

    This is the case if Slack is down or busy, or if the call exceeded a rate limit.
    """
    code = error_code(error)
    has_no_code = code == type(error).__name__
    return has_no_code or status_code(error) >= 500 or code in _TEMPORARY | RATE_LIMITED


def error_code(error: Exception) -> str:
    """Return Slack's error code, such as `channel_not_found`.

    If there is none, return the exception's class name.
    """
    if isinstance(error, SlackApiError):
        answer = error.response.data if isinstance(error.response, AsyncSlackResponse) else error.response
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            return str(answer["error"])
    return type(error).__name__


def status_code(error: SlackApiError) -> int:
    """Return the HTTP status of the answer, or 0 if there is none."""
    status = getattr(error.response, "status_code", 0)
    return status if isinstance(status, int) else 0


def pointers(error: SlackApiError) -> list[str]:
    """Return JSON pointers to the parts of a message or view that made Slack refuse it."""
    answer = error.response.data if isinstance(error.response, AsyncSlackResponse) else error.response
    errors = answer.get("errors") if isinstance(answer, dict) else None
    metadata = answer.get("response_metadata") if isinstance(answer, dict) else None
    reasons = metadata.get("messages") if isinstance(metadata, dict) else None
    given = [*(errors if isinstance(errors, list) else ()), *(reasons if isinstance(reasons, list) else ())]
    return [match[1] for match in map(_POINTER.search, map(str, given)) if match]


def requested_wait(error: Exception) -> timedelta | None:
    """Return the time that Slack wants us to wait before the next call of the same method.

    None if the call didn't exceed a rate limit.
    """
    if not isinstance(error, SlackApiError):
        return None
    if status_code(error) != 429 and error_code(error) not in RATE_LIMITED:
        return None
    headers = getattr(error.response, "headers", None)
    retry_after = str(headers.get("Retry-After", "")) if isinstance(headers, Mapping) else ""
    return timedelta(seconds=seconds_to_wait(retry_after))


def seconds_to_wait(retry_after: str) -> float:
    """Return the number of seconds in a Retry-After header, at least 1 and at most 3600.

    Returns 30 if the header isn't a number.
    """
    try:
        return min(max(1.0, float(retry_after)), 3600.0)
    except ValueError:
        return 30.0
