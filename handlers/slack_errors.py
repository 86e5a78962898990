"""How a call to Slack can fail to give a usable answer."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

NO_ANSWER: tuple[type[Exception], ...] = (
    SlackClientError,
    aiohttp.ClientError,
    OSError,  # a time-out too
    ValueError,
    AttributeError,  # the SDK's own, where the answer is JSON but no object
)


def error_code(error: Exception) -> str:
    """Slack's name for the error, such as `channel_not_found`; else the exception's name."""
    if isinstance(error, SlackApiError):
        answer = error.response.data if isinstance(error.response, AsyncSlackResponse) else error.response
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            return str(answer["error"])
    return type(error).__name__


def status_code(error: SlackApiError) -> int:
    """The HTTP status of the answer, 0 where there is none."""
    status = getattr(error.response, "status_code", 0)
    return status if isinstance(status, int) else 0


def retry_after(error: SlackApiError) -> str:
    """The Retry-After header, in seconds; empty where there is none."""
    headers = getattr(error.response, "headers", None)
    return str(headers.get("Retry-After", "")) if isinstance(headers, Mapping) else ""
