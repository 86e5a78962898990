"""An API server that answers whatever a test tells it to, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.clock import MovedClock
from bot.market.client import ComputeClear, Timeouts

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOKEN = "cc-secret-token-7f3a"  # noqa: S105 - the fake server's own

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: object


@dataclass
class Api:
    """Plays Compute Clear as badly as a test needs."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: dict[str, Answering] = field(default_factory=dict)

    def says(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        """Answers JSON on a path."""
        self.writes(path, json.dumps(body).encode(), status, **headers)

    def writes(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        """Answers these bytes on a path."""

        async def answer(_: web.Request) -> web.StreamResponse:
            shown = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=content, status=status, content_type="application/json", headers=shown)

        self.answers[path] = answer

    def cuts(self, path: str) -> None:
        """Takes the request and breaks the connection."""

        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self.answers[path] = answer

    def hangs(self, path: str) -> None:
        """Takes the request and never answers."""

        async def answer(_: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            return web.Response()

        self.answers[path] = answer

    def cuts_within(self, path: str) -> None:
        """Breaks the connection in the middle of the answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"status": "procured", ')
            assert request.transport is not None
            request.transport.close()
            return response

        self.answers[path] = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            Seen(
                request.method,
                request.path,
                dict(request.query),
                dict(request.headers),
                await request.read(),
                request.transport,
            )
        )
        answer = self.answers.get(request.path)
        return web.json_response({"detail": "Not found"}, status=404) if answer is None else await answer(request)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    found = Api()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", found.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(NOON)


@pytest.fixture
async def market(api: Api, clock: MovedClock) -> AsyncIterator[ComputeClear]:
    client = ComputeClear(api.url, SecretStr(TOKEN), clock)
    yield client
    await client.aclose()


@pytest.fixture
async def hasty(api: Api, clock: MovedClock) -> AsyncIterator[ComputeClear]:
    """Waits next to no time for an answer."""
    client = ComputeClear(api.url, SecretStr(TOKEN), clock, Timeouts(procure=0.05, offers=0.05, other=0.05))
    yield client
    await client.aclose()
