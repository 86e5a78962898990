"""A proxy for PostgreSQL that can end a connection at any chosen point of its traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit


class How(StrEnum):
    """The way in which a connection ends."""

    CUT = "cut"
    """Without notice, as when the network or the server's machine fails."""
    TERMINATED = "terminated"
    """With an error from the server, as after pg_terminate_backend or a shutdown."""


def _error() -> bytes:
    fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


class CuttingProxy:
    """Forwards all traffic. Once armed, it ends a connection before the `cut_at`-th piece of traffic."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._left: int | None = None
        self._how = How.CUT
        self._everyone = False
        self._open: set[asyncio.StreamWriter] = set()

    def arm(self, cut_at: int, how: How, *, everyone: bool = False) -> None:
        """End a connection, or all of them, before the `cut_at`-th piece of traffic from now."""
        self._left, self._how, self._everyone = cut_at, how, everyone

    def disarm(self) -> bool:
        """Stop ending connections. Returns whether one has been ended since `arm`."""
        left, self._left = self._left, None
        return left == 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        directions = [
            asyncio.create_task(self._pass_on(reader, server_writer, writer)),
            asyncio.create_task(self._pass_on(server_reader, writer, writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            self._open.discard(writer)
            for end in (writer, server_writer):
                end.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                if self._left:
                    self._left -= 1
                    if self._left == 0:
                        for one in list(self._open) if self._everyone else [client]:
                            self._end(one)
                        return
                to.write(piece)
                await to.drain()

    def _end(self, client: asyncio.StreamWriter) -> None:
        if self._how is How.CUT:
            client.transport.abort()
        else:
            client.write(_error())
            client.close()


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """Start a proxy for a `postgresql://` URL that names a folder of sockets.

    Yields the proxy, and the URL that leads through it.
    """
    parts = urlsplit(url)
    proxy = CuttingProxy(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432")
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"
    finally:
        server.close()
