"""A TCP connection that reads little at a time, and is closed after a number of bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar, cast

from typing_extensions import override

AT_ONCE = 4 * 1024
"""How many bytes are passed on at once. asyncssh handles everything that has arrived at once; the event loop does
other work between two pieces. Otherwise a server that sends many small packets would block it."""

P = TypeVar("P", bound=asyncio.Protocol)


class LimitedConnection:
    """Makes connections over one connected socket, as the `tunnel` of asyncssh. asyncssh calls only
    `create_connection` of a tunnel, though its types ask for more."""

    def __init__(self, sock: socket.socket, most: int) -> None:
        """`most` is the number of bytes after which the connection is closed."""
        self._sock = sock
        self._most = most

    async def create_connection(self, factory: Callable[[], P], *_: object) -> tuple[asyncio.BaseTransport, P]:
        """Return the transport and a new protocol. The address is ignored: the socket is connected already."""
        protocol = factory()
        loop = asyncio.get_running_loop()
        connection = await loop.create_connection(lambda: _Limiter(protocol, self._most), sock=self._sock)
        return connection[0], protocol


class _Limiter(asyncio.BufferedProtocol):
    """Passes everything on to another protocol until too much has arrived."""

    def __init__(self, protocol: asyncio.Protocol, most: int) -> None:
        self._protocol = protocol
        self._left = most
        self._buffer = bytearray(AT_ONCE)
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.connection_made(transport)

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self._left -= nbytes
        if self._left >= 0:
            self._protocol.data_received(bytes(self._buffer[:nbytes]))
        elif self._transport is not None:
            self._transport.abort()

    @override
    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    @override
    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)
