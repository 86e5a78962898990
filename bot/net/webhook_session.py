"""Sends webhooks: over https only, without a proxy or redirects, and only to addresses that the policy allows.

The policy contains the receiver's URL, but the domain name system (DNS) decides which machine the URL leads to.
Without a check, anyone who controls the receiver's name could make the bot call a server inside its own network,
such as the one from which a cloud provider's machines get their credentials.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

SECONDS = 10.0
"""The longest time of a whole call in seconds (wall clock), including the look-up of the receiver's name."""
_TRY_LATER = frozenset({429, 502, 503, 504})
"""The statuses with which a server says that it accepts no requests at the moment.

RFC 6585, section 4, and RFC 9110, sections 15.6.3 to 15.6.5, define them.
"""


class Reach(IntEnum):
    """The kinds of addresses, from the least to the most restricted."""

    PUBLIC = 0
    PRIVATE = 1
    """An address of a private network or of this machine, or another address that isn't public."""
    NEVER = 2
    """An address that no receiver can have, or at which a cloud provider serves the credentials of machines."""


_NAT64 = ip_network("64:ff9b::/96")
_PUBLIC_IPV6 = ip_network("2000::/3")
"""The only IPv6 addresses that IANA has assigned for public use (its registry "IPv6 Address Space")."""
_NEVER = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "255.255.255.255/32"),  # "this network" (RFC 1122, section 3.2.1.3); broadcast
            "100.100.100.200/32",  # Alibaba Cloud
            "168.63.129.16/32",  # Azure
            "192.0.0.192/32",  # Oracle Cloud
            "fd00:ec2::/32",  # AWS
            "fd20:ce::/32",  # Google Cloud
        ),
    )
)
"""Networks to which nothing is sent, in addition to link-local and multicast addresses.

Most of these are the metadata servers of cloud providers, as the providers' own documentation names them. Over
IPv4, most providers use the link-local address 169.254.169.254 instead.
"""


def reach_of(address: str) -> Reach:
    """Return how restricted an IP address is. Raises ValueError if the text isn't an IP address.

    Some IPv6 addresses contain an IPv4 address, to which packets are passed on. They are as restricted as that
    address. The formats are mapped addresses (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo (RFC 4380).
    """
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return _reach(found)
    if found.ipv4_mapped is not None:
        return _reach(found.ipv4_mapped)
    if found in _NAT64:
        return _reach(IPv4Address(found.packed[-4:]))
    embedded = (*(found.teredo or ()), found.sixtofour)
    return max(_reach(each) for each in (found, *embedded) if each is not None)


def _reach(address: IPv4Address | IPv6Address) -> Reach:
    never = address.is_link_local or address.is_multicast or address.is_unspecified
    if never or any(address in network for network in _NEVER):
        return Reach.NEVER
    public = address.is_global and (address.version == 4 or address in _PUBLIC_IPV6)
    return Reach.PUBLIC if public else Reach.PRIVATE


class AddressRefused(OSError):
    """The receiver's name leads to an address to which the policy allows no connection."""


def _open_socket(info: aiohttp.AddrInfoType, highest: Reach) -> socket.socket:
    """Create the socket for a connection. Raises AddressRefused if its address is more restricted than `highest`.

    aiohttp calls this for each address right before it connects to this same address. So the name isn't looked up
    again after the check, when the answer could be another address (DNS rebinding).
    """
    family, kind, protocol, _, address = info
    reach = reach_of(str(address[0]))
    if reach > highest:
        advice = "" if reach is Reach.NEVER else ", which needs private: true"
        raise AddressRefused(
            f"its name leads to a {'forbidden' if reach is Reach.NEVER else 'private'} address{advice}"
        )
    return socket.socket(family, kind, protocol)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one call to a receiver."""

    status: int | None = None
    """The status of the answer. None if there was none."""
    problem: str = ""
    """The reason why there was no answer, in words that admins read. Empty if there was one."""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def unavailable(self) -> bool:
        """True if other events can't be sent to this receiver at the moment either."""
        return self.status is None or self.status in _TRY_LATER

    @property
    def words(self) -> str:
        """The outcome in a few words, such as `status 503`."""
        return self.problem if self.status is None else f"status {self.status}"


class WebhookSession:
    """Makes calls to receivers of webhooks. Each call uses a connection of its own."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Create a session.

        Args:
            seconds: The longest time of a whole call in seconds (wall clock).
            tls: The certificates to trust. If None, these are the system's, or those in SSL_CERT_FILE.
            resolver: Looks up names. If None, the system does.
        """
        self._seconds = seconds
        self._tls = tls
        self._resolver = resolver

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, private: bool) -> Outcome:
        """Send one request, and return its outcome. The body of the answer isn't read.

        Args:
            url: The receiver's URL, which must begin with https.
            headers: The request's headers.
            body: The request's body, which is JSON.
            private: True to allow addresses of private networks and of this machine.

        Raises:
            ValueError: The URL doesn't begin with https.
        """
        target = URL(url)
        if target.scheme != "https":
            raise ValueError("a webhook is only sent over https")
        highest = Reach.PRIVATE if private else Reach.PUBLIC
        try:
            async with asyncio.timeout(self._seconds):
                return Outcome(await self._status(target, headers, body, highest))
        except TimeoutError:
            return Outcome(problem=f"no answer within {self._seconds:g} s")
        except aiohttp.ClientConnectorCertificateError:
            return Outcome(problem="its certificate isn't trusted")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefused)
            return Outcome(problem=str(error.os_error) if refused else "it can't be reached")
        except (aiohttp.ClientError, OSError, ValueError):
            return Outcome(problem="it didn't answer as a web server does")

    async def _status(self, url: URL, headers: Mapping[str, str], body: bytes, highest: Reach) -> int:
        connector = aiohttp.TCPConnector(
            ssl=True if self._tls is None else self._tls,
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            socket_factory=lambda info: _open_socket(info, highest),
        )
        # A session uses no proxy from the environment unless `trust_env` is set. Through a proxy, the address
        # couldn't be checked.
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": "gpubot", "Content-Type": "application/json"},
            ) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
            answer.close()  # The rest of the answer isn't read, however long it is.
            return status
