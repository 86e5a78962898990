"""HTTP mode: what people do is sent to the app as signed requests, and the response acknowledges it.

Rules: https://docs.slack.dev/apis/events-api/using-http-request-urls and
https://docs.slack.dev/authentication/verifying-requests-from-slack. Redirects are not followed here.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from sandbox.clock import real_seconds
from sandbox.slack.arguments import read_json
from sandbox.slack.schema import Json
from sandbox.slack.sockets import Answer
from sandbox.slack.state import Workspace
from sandbox.slack.timing import Timing


class HttpMode:
    """Sends requests to the app."""

    def __init__(self, workspace: Workspace, timing: Timing, monotonic: Callable[[], float]) -> None:
        self._workspace = workspace
        self._timing = timing
        self._monotonic = monotonic
        self._session: aiohttp.ClientSession | None = None
        self.reach = ""
        """Where the host of the app's request URLs is on this machine, such as http://127.0.0.1:8601."""
        self.renew_secret()
        self.on_request: Callable[[str, Json], None] = lambda _kind, _request: None
        """Called with "sent" and every request, and with "received" and every response."""

    def renew_secret(self) -> None:
        """Replace the signing secret by a new one. The old one is of no use from now on."""
        self.signing_secret = secrets.token_hex(16)

    async def deliver(
        self, kind: str, payload: Json, *, answers: bool, retry: int | None = None, reason: str = ""
    ) -> Answer:
        """Send a request and return its response as an answer.

        `answers` tells whether its body counts. `retry` is the number of the retry, for events. Only events may be
        answered with another status than 200 that begins with 2.
        """
        url = self._workspace.app.request_urls.get(kind)
        if url is None:
            return Answer("dispatch_failed", reason="unknown_error")
        began = self._monotonic()
        self.on_request("sent", {"type": kind, "payload": payload, "retry_attempt": retry})
        headers = {"x-slack-retry-num": str(retry), "x-slack-retry-reason": reason} if retry else {}
        try:
            async with asyncio.timeout(self._timing.ack):
                status, said, text = await self._post(url, kind, payload, headers)
        except TimeoutError:
            return Answer("operation_timeout", reason="http_timeout")
        except (aiohttp.ClientError, OSError):
            return Answer("dispatch_failed", reason="connection_failed")
        self.on_request("received", {"status": status, "body": text})
        if status != 200 and not (kind == "events_api" and 200 <= status < 300):
            given_up = said.get("x-slack-no-retry") == "1"
            return Answer("dispatch_failed", reason="http_error", given_up=given_up)
        took = self._monotonic() - began
        return Answer(payload=_payload_in(text) if answers else None, took=took)

    async def answers_challenge(self, url: str) -> bool:
        """Return whether the app answers Slack's question at this URL, as it must before Slack takes the URL."""
        challenge = secrets.token_hex(20)
        body = {"type": "url_verification", "challenge": challenge}
        try:
            async with asyncio.timeout(self._timing.ack):
                status, _, text = await self._post(url, "events_api", body, {})
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False
        answer = _payload_in(text)
        return status == 200 and challenge in (answer, answer.get("challenge") if isinstance(answer, dict) else "")

    async def _post(self, url: str, kind: str, payload: Json, headers: dict[str, str]) -> tuple[int, Any, str]:
        """Return the status, the headers and the body of the response to a signed request."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        content_type, body = _encoded(kind, payload)
        timestamp = str(int(real_seconds()))
        signed = {
            **headers,
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self.signing_secret, timestamp, body),
        }
        where = self.reach + urlsplit(url).path
        async with self._session.post(where, data=body, headers=signed, allow_redirects=False) as response:
            return response.status, response.headers, await response.text()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's signature of a body that is sent at a time in Unix seconds."""
    signed = f"v0:{timestamp}:".encode() + body
    return f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _encoded(kind: str, payload: Json) -> tuple[str, bytes]:
    """Return the content type and the body: JSON for events, a form for everything else."""
    if kind == "events_api":
        return "application/json", json.dumps(payload).encode()
    if kind == "interactive":
        fields: Json = {"payload": json.dumps(payload)}
    else:
        fields = payload
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


def _payload_in(text: str) -> Any:
    """Return the JSON in a body, or a body that is no JSON as it is, which a command shows as text."""
    if not text:
        return None
    try:
        return read_json(text)
    except ValueError:
        return text
