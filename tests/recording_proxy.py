"""An HTTP proxy on this machine that records requests and forwards none of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

NAMES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "no_proxy")


@dataclass
class RecordingProxy:
    """A proxy that answers 200 to each request and refuses each tunnel."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    """The request line and headers of each request."""

    @property
    def asked(self) -> list[str]:
        """The method and address of each request."""
        return [head.rpartition(" HTTP/")[0] for head in (each.splitlines()[0] for each in self.heads)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        status = "502 No tunnel" if head.startswith("CONNECT") else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def recording_proxy() -> AsyncIterator[RecordingProxy]:
    made = RecordingProxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    await server.wait_closed()


def no_proxies(env: pytest.MonkeyPatch) -> None:
    """Remove all proxies from the environment."""
    for name in NAMES:
        env.delenv(name, raising=False)
        env.delenv(name.upper(), raising=False)
