"""An API server over real HTTP, whose answers are set by the test."""

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
from bot.market.client import ComputeClear
from bot.market.transport import Timeouts

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOKEN = "cc-secret-token-7f3a"  # noqa: S105 - the fake server's own

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ReceivedRequest:
    """A request that the server received."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: object


@dataclass
class Api:
    """A server that stands in for Compute Clear. It answers 404 on every path for which no answer is set."""

    url: str = ""
    seen: list[ReceivedRequest] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    def answer(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        """Answer requests to a path with this JSON."""
        self.answer_bytes(path, json.dumps(body).encode(), status, **headers)

    def answer_bytes(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        """Answer requests to a path with these bytes."""

        async def answer(_: web.Request) -> web.StreamResponse:
            shown = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=content, status=status, content_type="application/json", headers=shown)

        self.answers[path] = answer

    def cut(self, path: str) -> None:
        """Break the connection after each request to a path."""

        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self.answers[path] = answer

    def hang(self, path: str) -> None:
        """Never answer requests to a path."""

        async def answer(_: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            return web.Response()

        self.answers[path] = answer

    def cut_within_answer(self, path: str) -> None:
        """Break the connection in the middle of each answer to a path."""

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
            ReceivedRequest(
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
async def impatient_market(api: Api, clock: MovedClock) -> AsyncIterator[ComputeClear]:
    """Yield a client with a timeout of 50 ms for each call."""
    client = ComputeClear(api.url, SecretStr(TOKEN), clock, Timeouts(procure=0.05, offers=0.05, other=0.05))
    yield client
    await client.aclose()
