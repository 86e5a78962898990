"""HTTP mode: sends interactions and events to the app as signed requests. The app's response acknowledges them.

Rules: https://docs.slack.dev/apis/events-api/using-http-request-urls and
https://docs.slack.dev/authentication/verifying-requests-from-slack. Redirects aren't followed.
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
    """Sends requests to the app's request URLs."""

    def __init__(self, workspace: Workspace, timing: Timing, monotonic: Callable[[], float]) -> None:
        self._workspace = workspace
        self._timing = timing
        self._monotonic = monotonic
        self._session: aiohttp.ClientSession | None = None
        self.reach = ""
        """The app's address on this machine, such as `http://127.0.0.1:8601`.

        It replaces the scheme and host of the request URLs.
        """
        self.renew_secret()
        self.on_request: Callable[[str, Json], None] = lambda _kind, _request: None
        """Called with "sent" and each request to the app, and with "received" and each response."""

    def renew_secret(self) -> None:
        """Replace the signing secret. Requests are no longer signed with the old one."""
        self.signing_secret = secrets.token_hex(16)

    async def deliver(
        self, kind: str, payload: Json, *, answers: bool, retry: int | None = None, reason: str = ""
    ) -> Answer:
        """Send a request to the app, and return its response as an Answer.

        The response acknowledges the request if its status is 200, or for events any 2xx status.

        Args:
            kind: `slash_commands`, `interactive` or `events_api`.
            payload: The payload to send.
            answers: Whether the body of the response is used. Otherwise it is ignored.
            retry: For events, the number of the retry; 0 for the first delivery.
            reason: For retries, the reason why the previous delivery failed.
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
        """Check whether the app responds correctly to Slack's challenge at a URL.

        Slack sends a challenge before it accepts a new request URL for events.
        """
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
        """Send a signed request. Return the status, the headers and the body of the response."""
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
    """Return Slack's signature for a body. `timestamp` is the time of sending, in Unix seconds."""
    signed = f"v0:{timestamp}:".encode() + body
    return f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _encoded(kind: str, payload: Json) -> tuple[str, bytes]:
    """Encode a payload: events as JSON, everything else as a form. Return the content type and the body."""
    if kind == "events_api":
        return "application/json", json.dumps(payload).encode()
    if kind == "interactive":
        fields: Json = {"payload": json.dumps(payload)}
    else:
        fields = payload
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


def _payload_in(text: str) -> Any:
    """Parse the body of a response as JSON. Return other text unchanged: commands may respond with plain text."""
    if not text:
        return None
    try:
        return read_json(text)
    except ValueError:
        return text
