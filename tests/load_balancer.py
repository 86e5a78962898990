"""A load balancer in front of several bots in HTTP mode. It polls /ready, as docs/http-mode.md recommends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import aiohttp
from aiohttp import web

from sandbox.clock import Notifier
from sandbox.serving import LONGEST_WAIT, serve

CHECK_EVERY = 0.05
"""Wall-clock seconds between two checks whether a bot is ready."""
OWN = {"Host", "Content-Length", "Transfer-Encoding", "Connection"}
"""Headers that belong to a single connection, so they aren't forwarded."""


@dataclass(frozen=True)
class Backend:
    """A bot: the address at which it receives requests, and a check whether it is ready."""

    address: str
    ready: Callable[[], Awaitable[bool]]


@dataclass
class LoadBalancer:
    """Sends requests in turn to the bots that were ready at the last check."""

    backends: list[Backend]
    url: str = ""
    ready: list[Backend] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    """The number of requests that each address has answered."""
    _answered: Notifier = field(default_factory=Notifier)
    _turns: count[int] = field(default_factory=count)

    async def check(self) -> None:
        """Check each bot for readiness."""
        self.ready = [backend for backend in self.backends if await backend.ready()]

    async def watch(self) -> None:
        """Check all bots repeatedly, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            await self.check()

    async def until_answers(self, address: str) -> None:
        """Wait until this bot has answered another request."""
        before = self.sent[address]
        assert await self._answered.wait_for(lambda: self.sent[address] > before, LONGEST_WAIT)

    async def forward(self, request: web.Request) -> web.Response:
        """Forward a request to a bot.

        If the bot can't be reached, the next one gets the request. The answer is 502 if no bot can be reached, or
        if a bot breaks off while it answers.
        """
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name not in OWN}
        async with aiohttp.ClientSession() as session:
            for _ in range(len(self.ready)):
                backend = self.ready[next(self._turns) % len(self.ready)]
                try:
                    async with session.post(
                        f"http://{backend.address}{request.path}", data=body, headers=headers
                    ) as got:
                        self.sent[backend.address] += 1
                        self._answered.notify()
                        content = await got.read()
                        return web.Response(status=got.status, body=content, content_type=got.content_type)
                except aiohttp.ClientConnectorError:
                    continue
                except aiohttp.ClientError:
                    break
        return web.Response(status=502)


@asynccontextmanager
async def load_balancer(*backends: Backend) -> AsyncIterator[LoadBalancer]:
    """Run a load balancer for the duration of the block."""
    made = LoadBalancer(list(backends))
    await made.check()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.forward)
    served = await serve(app)
    made.url = served.url
    watching = asyncio.create_task(made.watch())
    try:
        yield made
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await served.stop()
