"""The log of the requests that a server received, in order."""

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.clock import Notifier, SandboxClock
from sandbox.serving import number, reply

MAX_ENTRIES = 100_000
MAX_BYTES = 64 * 1024 * 1024
NO_ANSWER = 0
_SECRET_FIELDS = frozenset({"token", "client_secret"})


@dataclass(slots=True)
class Entry:
    """One logged request. Its body is stored as bytes, and decoded only when the log is read.

    `status` is None until the request is answered, and `NO_ANSWER` if the connection ended without a response.
    """

    n: int
    at: datetime
    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    content_type: str
    raw: bytes
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the control API shows it. JSON and form bodies are decoded, others are text."""
        return {
            "n": self.n,
            "at": self.at,
            "endpoint": self.endpoint,
            "method": self.method,
            "path": self.path,
            "query": {name: value for name, value in self.query.items() if name not in _SECRET_FIELDS},
            "body": readable(self.content_type, self.raw),
            "status": self.status,
        }


class Traffic:
    """The log of one server's requests, numbered from 1.

    Only the newest `MAX_ENTRIES` requests with at most `MAX_BYTES` of bodies are kept.
    """

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._last = 0
        self._changes = Notifier()

    @property
    def last(self) -> int:
        """The number of the newest request; 0 before the first."""
        return self._last

    def begin(self, endpoint: str, request: web.Request, raw: bytes) -> Entry:
        """Log a request that has been received in full. `end` sets its status later."""
        return self.add(
            endpoint,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            content_type=request.content_type,
            raw=raw,
        )

    def add(
        self,
        endpoint: str,
        *,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
        raw: bytes = b"",
        status: int | None = None,
    ) -> Entry:
        """Add an entry. It need not be an HTTP request; WebSocket messages are logged too."""
        self._last += 1
        entry = Entry(
            self._last, self._clock.now(), endpoint, method, path, query or {}, content_type, raw, status
        )
        self._entries.append(entry)
        self._bytes += len(raw)
        while len(self._entries) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self._bytes -= len(self._entries.popleft().raw)
        self._changes.notify()
        return entry

    def end(self, entry: Entry, status: int) -> None:
        """Set the status of an entry, or `NO_ANSWER` if the connection ended without a response."""
        entry.status = status
        self._changes.notify()

    def after(self, n: int, endpoint: str | None = None, *, answered: bool = False) -> list[Entry]:
        """Return the entries with a number above `n`, oldest first.

        If `endpoint` is set, only the entries of this endpoint are returned. If `answered` is set, only entries
        that have a status are returned.
        """
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entry.n <= n:
                break
            if endpoint in (None, entry.endpoint) and not (answered and entry.status is None):
                found.append(entry)
        return found[::-1]

    async def wait_after(
        self, n: int, seconds: float, endpoint: str | None = None, *, answered: bool = False
    ) -> list[Entry]:
        """Wait until `after` finds at least one entry, and return what it finds.

        Waits at most `seconds` of wall-clock time. The result is empty if there is no entry by then.
        """
        await self._changes.wait_for(lambda: bool(self.after(n, endpoint, answered=answered)), seconds)
        return self.after(n, endpoint, answered=answered)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add `GET /_control/traffic`."""
        router.add_get("/_control/traffic", self._show)

    async def _show(self, request: web.Request) -> web.Response:
        after = int(number(request, "after", 0))
        endpoint = request.query.get("endpoint")
        answered = request.query.get("answered", "") == "true"
        entries = await self.wait_after(after, number(request, "wait", 0), endpoint, answered=answered)
        return reply({"requests": [entry.as_json() for entry in entries], "last": self._last})


def readable(content_type: str, raw: bytes) -> Any:
    """Return a request body in readable form, or None if it is empty.

    JSON and forms are decoded, without the fields that contain tokens. Anything else is returned as text.
    """
    if not raw:
        return None
    text = raw.decode("utf-8", "replace")
    if content_type == "application/x-www-form-urlencoded":
        return {name: value for name, value in parse_qsl(text, True) if name not in _SECRET_FIELDS}
    if content_type == "application/json":
        try:
            value = json.loads(text)
        except ValueError:
            return text
        if isinstance(value, dict):
            return {name: item for name, item in value.items() if name not in _SECRET_FIELDS}
        return value
    return text
