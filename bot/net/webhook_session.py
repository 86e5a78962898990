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
from functools import partial
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.policy.team.addresses import may_be_reached

SECONDS = 10.0
"""The longest time of a whole call in seconds (wall clock), including the look-up of the receiver's name."""
_TRY_LATER = frozenset({429, 502, 503, 504})
"""The statuses with which a server says that it accepts no requests at the moment.

RFC 6585, section 4, and RFC 9110, sections 15.6.3 to 15.6.5, define them.
"""


class AddressRefused(OSError):
    """The receiver's name leads to an address to which the policy allows no connection."""


def _open_socket(info: aiohttp.AddrInfoType, *, private: bool) -> socket.socket:
    """Create the socket for a connection. Raises AddressRefused if the policy doesn't allow its address.

    aiohttp calls this for each address right before it connects to this same address. So the name isn't looked up
    again after the check, when the answer could be another address (DNS rebinding).
    """
    family, kind, protocol, _, sockaddr = info
    address = ip_address(str(sockaddr[0]))
    if may_be_reached(address, private=private):
        return socket.socket(family, kind, protocol)
    if may_be_reached(address, private=True):
        raise AddressRefused("its address is private, which needs `private: true`")
    raise AddressRefused("its address is one to which events are never sent")


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
            tls: The context with the certificates to trust. If None, these are the system's, or those in the file
                that the environment variable SSL_CERT_FILE names.
            resolver: Looks up names. If None, the system does.
        """
        self._seconds = seconds
        self._tls = tls or ssl.create_default_context()
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
        try:
            async with asyncio.timeout(self._seconds):
                return Outcome(await self._status(target, headers, body, private))
        except TimeoutError:
            return Outcome(problem=f"no answer within {self._seconds:g} s")
        except aiohttp.ClientConnectorCertificateError:
            return Outcome(problem="its certificate isn't trusted")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefused)
            return Outcome(problem=str(error.os_error) if refused else "it can't be reached")
        except (aiohttp.ClientError, OSError, ValueError):
            return Outcome(problem="it didn't answer as a web server does")

    async def _status(self, url: URL, headers: Mapping[str, str], body: bytes, private: bool) -> int:
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            socket_factory=partial(_open_socket, private=private),
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
