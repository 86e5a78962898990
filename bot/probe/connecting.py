"""Connects to a machine: by its IP address, or by a host name, which a DNS server has to know. Reads
no more of a connection than its limit.
"""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from typing_extensions import override

P = TypeVar("P", bound=asyncio.Protocol)

RECEIVE_BUFFER = 16 * 1024
"""How many bytes the kernel keeps for us. asyncssh handles everything that has arrived at once, so a server that
sends many small packets together would block the event loop."""
AT_ONCE = 4 * 1024
"""How many bytes are passed on at once. asyncssh handles everything that has arrived at once; the event loop does
other work between two pieces. Otherwise a server that sends many small packets would block it."""
NAMES_OF_VENDOR = 2
"""How many names of one vendor are looked up at a time. If its DNS server doesn't answer, each look-up holds a
thread for half a minute."""
PATIENCE = 1.0
"""Real seconds for a look-up. After that, the last known addresses of the name are used meanwhile."""
MOST_REMEMBERED = 10_000
"""How many names keep their last addresses."""
_NAMES = ThreadPoolExecutor(32, thread_name_prefix="gpubot-names")
"""The threads that look up the names of machines. The default threads serve the rest of the bot, which must not
wait for a vendor whose DNS server doesn't answer."""

_Addresses: TypeAlias = list[tuple[Any, ...]]
"""As `socket.getaddrinfo` returns them."""


class Connector:
    """Connects to machines. Callers that wait for the same name share one look-up."""

    def __init__(self) -> None:
        self._look_ups: dict[str, asyncio.Task[_Addresses]] = {}
        """The look-ups under way, by name."""
        self._turns: defaultdict[str | None, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(NAMES_OF_VENDOR)
        )
        """By vendor."""
        self._last: dict[str, _Addresses] = {}
        """The addresses that each name had last."""

    async def connected(self, host: str, port: int, vendor: str | None = None) -> socket.socket:
        """Return a socket that is connected to a vendor's machine, at the first of its addresses that accepts.
        Raise OSError if none accepts.
        """
        loop = asyncio.get_running_loop()
        addresses = await self._addresses(host, vendor)
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                await loop.sock_connect(sock, (address[0], port, *address[2:]))
            except OSError:
                sock.close()
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise OSError(f"none of {len(addresses)} addresses accepts")

    async def _addresses(self, host: str, vendor: str | None) -> _Addresses:
        """Return the addresses of a host. An IP address needs no look-up, so it never waits."""
        try:
            return _look_up(host, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass
        look_up = self._look_ups.get(host)
        if look_up is None:
            look_up = asyncio.create_task(self._in_turn(host, vendor))
            self._look_ups[host] = look_up
            look_up.add_done_callback(lambda _: self._look_ups.pop(host))
        known = self._last.get(host)
        # Not `wait_for`, which would cancel the look-up for all who wait for it.
        await asyncio.wait({look_up}, timeout=PATIENCE if known else None)
        return look_up.result() if look_up.done() else known or []

    async def _in_turn(self, host: str, vendor: str | None) -> _Addresses:
        """Look up a name once it is its vendor's turn. Return its last addresses if no DNS server answers."""
        async with self._turns[vendor]:
            try:
                found = await asyncio.get_running_loop().run_in_executor(_NAMES, partial(_look_up, host))
            except socket.gaierror as error:
                return self._last.get(host, []) if error.errno == socket.EAI_AGAIN else []
            except OSError:
                return []
        self._last.pop(host, None)  # keeps the newest names at the end
        self._last[host] = found
        if len(self._last) > MOST_REMEMBERED:
            del self._last[next(iter(self._last))]
        return found


def _look_up(host: str, flags: int = 0) -> _Addresses:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags))


# --- how much is read


class LimitedConnection:
    """Makes connections over one connected socket, as the `tunnel` of asyncssh. asyncssh calls only
    `create_connection` of a tunnel, though its types ask for more.
    """

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
