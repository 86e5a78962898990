"""A receiver of webhooks: a TLS server on loopback that answers as a test says."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

HOST = "hooks.example.com"


@dataclass(frozen=True)
class Call:
    """A request that a receiver got."""

    headers: Mapping[str, str]
    body: bytes
    port: int
    """The port from which the call came."""

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.body)
        return payload


class Receiver:
    """A receiver of webhooks."""

    def __init__(self) -> None:
        self.port = 0
        self.host = HOST
        self.calls: list[Call] = []
        self.status = 200
        """The status of all answers."""
        self.refuses = ""
        """The ID of a rental whose events get status 400. Empty if there is none."""
        self.answer_headers: dict[str, str] = {}
        self.body = b""
        self.open = asyncio.Event()
        """While it isn't set, requests are read but not answered."""
        self.open.set()
        self.called = asyncio.Event()
        """Set by each call. The test clears it."""

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}/events"

    @property
    def names(self) -> list[str]:
        """The names of the events, in the order of the calls."""
        return [call.payload["name"] for call in self.calls]

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [call.payload for call in self.calls]

    async def until(self, name: str) -> dict[str, Any]:
        """Wait until an event with this name has arrived, and return its payload."""
        while name not in self.names:
            self.called.clear()
            await self.called.wait()
        return next(call.payload for call in reversed(self.calls) if call.payload["name"] == name)

    async def answer(self, request: web.Request) -> web.Response:
        body, transport = await request.read(), request.transport
        port = 0 if transport is None else transport.get_extra_info("peername")[1]
        self.calls.append(Call(request.headers.copy(), body, port))
        self.called.set()
        refused = self.refuses and self.refuses in self.payloads[-1]["id"]
        status, headers = 400 if refused else self.status, self.answer_headers
        await self.open.wait()
        return web.Response(status=status, headers=headers, body=self.body)


@asynccontextmanager
async def receiver(certificate: Path, host: str = HOST, port: int = 0) -> AsyncIterator[Receiver]:
    """Run a receiver on loopback. The certificate must be for `host`."""
    made = Receiver()
    made.host = host
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        made.port = runner.addresses[0][1]
        yield made
    finally:
        made.open.set()
        await runner.cleanup()


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return a context for clients that trust only this certificate."""
    return ssl.create_default_context(cafile=str(certificate))


class Names(AbstractResolver):
    """Looks names up as a test says. By default, every name leads to loopback."""

    def __init__(self) -> None:
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.asked: list[str] = []

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self.addresses.get(host, ("127.0.0.1",))
        ]

    @override
    async def close(self) -> None:
        pass
