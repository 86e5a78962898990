"""Connects to a machine: by its IP address, or by a name that a DNS server has to know."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

RECEIVE_BUFFER = 16 * 1024
"""Bytes that the kernel keeps for us. asyncssh handles all that has arrived in one go, so a server that sends many
small packets at once would block the event loop."""
_NAMES = ThreadPoolExecutor(8, thread_name_prefix="gpubot-names")
"""The threads that look up the names of machines. The default threads serve the rest of the bot, which must not
wait for a vendor whose DNS server doesn't answer."""


async def connected(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to the first address that accepts. Raise OSError if none does."""
    loop = asyncio.get_running_loop()
    addresses = await _addresses(host, port)
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            await loop.sock_connect(sock, address)
        except OSError:
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise OSError(f"none of {len(addresses)} addresses accepts")


async def _addresses(host: str, port: int) -> Sequence[Any]:
    """Return what `socket.getaddrinfo` does. An IP address is read at once, so it waits for no name."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        return look_up(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().run_in_executor(_NAMES, look_up)
