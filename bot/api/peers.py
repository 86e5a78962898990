"""The address from which a request came, even if a proxy passed the request on.

Requests without a token are limited by address, and the address is shown to the person who makes a token for a
program.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from aiohttp import web

from bot.config.settings import Network
from bot.net.socket_file import user_of
from bot.policy.team.addresses import IpAddress

UNKNOWN = "an unknown address"
_SITE = 64
"""IPv6 addresses whose first 64 bits are equal are counted as one, because a single host often has all of them."""


def address_of(request: web.Request, proxies: Sequence[Network]) -> str:
    """Return the IP address from which a request came, or `uid 1000` if it came through a Unix socket.

    If one of the `proxies` passed the request on, its header X-Forwarded-For says where the request came from. The
    headers of all other senders are ignored, because they can contain anything.
    """
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is not None and connection.family == socket.AF_UNIX:
        user = user_of(connection)
        return UNKNOWN if user is None else f"uid {user}"
    peer = _read(request.remote or "")
    if peer is None:  # a Unix socket that is closed by now
        return UNKNOWN
    return str(_behind(peer, request.headers.getall("X-Forwarded-For", []), proxies))


def counted_as(address: str) -> str:
    """Return the text under which requests from an address are counted."""
    ip = _read(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, _SITE), strict=False))
    return address


def _behind(peer: IpAddress, headers: Sequence[str], proxies: Sequence[Network]) -> IpAddress:
    """Return the nearest address that isn't a proxy's.

    Each proxy appends the address from which it got the request, so the header is read from its end. Everything
    before the first address that isn't a proxy's may be invented.
    """
    hops = [hop for header in headers for hop in header.split(",")]
    while hops and any(peer in network for network in proxies):
        hop = _read(hops.pop())
        if hop is None:
            break
        peer = hop
    return peer


def _read(text: str) -> IpAddress | None:
    """Return the IP address in a text such as `203.0.113.9`, `203.0.113.9:4711` or `[2001:db8::1]:4711`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # What follows a % names an interface of the other machine, and can be any text.
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
