"""The log of what a server of the sandbox was asked, in order, for whoever wants to know afterwards."""

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.clock import Bell, SandboxClock
from sandbox.serving import number, reply

KEPT = 100_000
MOST_BYTES = 64 * 1024 * 1024
NO_ANSWER = 0
_SECRET_FIELDS = frozenset({"token", "client_secret"})


@dataclass(slots=True)
class Entry:
    """One request. The body is kept as it came and read only when someone looks."""

    n: int
    at: datetime
    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    content_type: str
    raw: bytes
    status: int | None = None

    def shown(self) -> dict[str, Any]:
        """The entry as the control API shows it: JSON and forms read, anything else as text."""
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
    """The requests of one server, numbered from 1; the oldest leave after `KEPT`, or `MOST_BYTES` of bodies."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._last = 0
        self._bell = Bell()

    @property
    def last(self) -> int:
        """The number of the newest request, 0 before the first."""
        return self._last

    def begin(self, endpoint: str, request: web.Request, raw: bytes) -> Entry:
        """Notes a request that has arrived whole; `end` gives it its status."""
        return self.note(
            endpoint,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            content_type=request.content_type,
            raw=raw,
        )

    def note(
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
        """Notes something that did not come as an HTTP request of its own, such as a frame of a WebSocket."""
        self._last += 1
        entry = Entry(
            self._last, self._clock.now(), endpoint, method, path, query or {}, content_type, raw, status
        )
        self._entries.append(entry)
        self._bytes += len(raw)
        while len(self._entries) > KEPT or self._bytes > MOST_BYTES:
            self._bytes -= len(self._entries.popleft().raw)
        self._bell.ring()
        return entry

    def end(self, entry: Entry, status: int) -> None:
        """Gives an entry its status; `NO_ANSWER` when the connection ended without one."""
        entry.status = status
        self._bell.ring()

    def after(self, n: int, endpoint: str | None = None, *, answered: bool = False) -> list[Entry]:
        """The entries numbered over `n`, of one endpoint if named, only those with a status if `answered`."""
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
        """As `after`, but waits for the first such entry, for `seconds` of real time at most."""
        await self._bell.until(lambda: bool(self.after(n, endpoint, answered=answered)), seconds)
        return self.after(n, endpoint, answered=answered)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds `GET /_control/traffic`."""
        router.add_get("/_control/traffic", self._look)

    async def _look(self, request: web.Request) -> web.Response:
        after = int(number(request, "after", 0))
        endpoint = request.query.get("endpoint")
        answered = request.query.get("answered", "") == "true"
        entries = await self.wait_after(after, number(request, "wait", 0), endpoint, answered=answered)
        return reply({"requests": [entry.shown() for entry in entries], "last": self._last})


def readable(content_type: str, raw: bytes) -> Any:
    """A body as people read it: JSON and forms as values without tokens, else text; null for none."""
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
