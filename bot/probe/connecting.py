"""Connects to machines by IP address or host name, and limits how much is read from a connection.

Vendors can report a host name instead of an IP address. The host name is then looked up in DNS.
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
"""The size in bytes of the kernel's receive buffer for a connection.

It limits how much data can accumulate before asyncssh processes it. See AT_ONCE for the reason.
"""
AT_ONCE = 4 * 1024
"""The maximum number of bytes that are passed on to asyncssh at once.

asyncssh processes all data that it receives in one go. A server that sends many small packets could block the
event loop this way. With small pieces, the event loop can do other work in between.
"""
NAMES_OF_VENDOR = 2
"""The maximum number of concurrent DNS lookups for the machines of one vendor.

If the vendor's DNS server doesn't answer, each lookup occupies a thread for half a minute. The limit leaves
threads for other vendors.
"""
PATIENCE = 1.0
"""The time in seconds (wall clock) to wait for a lookup before the last known addresses of the host are used."""
MOST_REMEMBERED = 10_000
"""The maximum number of host names whose last known addresses are remembered."""
_NAMES = ThreadPoolExecutor(32, thread_name_prefix="gpubot-names")
"""The threads that look up the host names of machines.

If a DNS server doesn't answer, these threads wait. The rest of the bot isn't delayed, because it uses asyncio's
default threads.
"""

_Addresses: TypeAlias = list[tuple[Any, ...]]
"""Addresses in the form in which `socket.getaddrinfo` returns them."""


class Connector:
    """Connects to machines.

    If several callers need the address of the same host name at the same time, they share one DNS lookup.
    """

    def __init__(self) -> None:
        self._look_ups: dict[str, asyncio.Task[_Addresses]] = {}
        """The DNS lookups in progress, by host name."""
        self._turns: defaultdict[str | None, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(NAMES_OF_VENDOR)
        )
        """Limits the concurrent lookups of each vendor."""
        self._last: dict[str, _Addresses] = {}
        """The last known addresses of each host name."""

    async def connected(self, host: str, port: int, vendor: str | None = None) -> socket.socket:
        """Connect to a vendor's machine, and return the socket.

        The addresses of the host are tried in order. Raises OSError if none of them accepts.
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
        """Return the addresses of a host. An IP address needs no lookup, so this returns immediately."""
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
        # Don't use `wait_for`, which cancels the lookup of the address after its timeout. Other callers may be
        # waiting for the same lookup.
        await asyncio.wait({look_up}, timeout=PATIENCE if known else None)
        return look_up.result() if look_up.done() else known or []

    async def _in_turn(self, host: str, vendor: str | None) -> _Addresses:
        """Look up a host name. At most NAMES_OF_VENDOR lookups per vendor run at once, so this may have to wait.

        If no DNS server answers, the last known addresses of the host are returned.
        """
        async with self._turns[vendor]:
            try:
                found = await asyncio.get_running_loop().run_in_executor(_NAMES, partial(_look_up, host))
            except socket.gaierror as error:
                return self._last.get(host, []) if error.errno == socket.EAI_AGAIN else []
            except OSError:
                return []
        # Remove the host name before adding it again, so that it moves to the end of the dict. If the dict becomes
        # too large, its first name is dropped, which is then the oldest.
        self._last.pop(host, None)
        self._last[host] = found
        if len(self._last) > MOST_REMEMBERED:
            del self._last[next(iter(self._last))]
        return found


def _look_up(host: str, flags: int = 0) -> _Addresses:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags))


# --- limiting how much is read


class LimitedConnection:
    """A connection over one connected socket that asyncssh can use as its `tunnel`.

    asyncssh only calls `create_connection` of a tunnel, although its type hints require more.
    """

    def __init__(self, sock: socket.socket, most: int) -> None:
        """Wrap a connected socket. The connection is closed once more than `most` bytes have arrived."""
        self._sock = sock
        self._most = most

    async def create_connection(self, factory: Callable[[], P], *_: object) -> tuple[asyncio.BaseTransport, P]:
        """Return the transport and a new protocol.

        The address is ignored, because the socket is already connected.
        """
        protocol = factory()
        loop = asyncio.get_running_loop()
        connection = await loop.create_connection(lambda: _Limiter(protocol, self._most), sock=self._sock)
        return connection[0], protocol


class _Limiter(asyncio.BufferedProtocol):
    """Passes all data on to another protocol, and aborts the connection when too much has arrived."""

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
