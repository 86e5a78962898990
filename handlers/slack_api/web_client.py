"""The client of Slack's Web API, without the SDK's own retries and proxies."""

from __future__ import annotations

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient


def slack_client(token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a client that makes each call once, and leaves proxies and redirects to `session`."""
    client = AsyncWebClient(token=token, base_url=base_url, session=session, retry_handlers=[])
    client.proxy = None  # the SDK took the environment's, which may not be meant for this address
    return client
