"""Checks of hosts, ports and web addresses in settings. A ValueError says what to write instead."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
LONGEST_HOST = 253
"""The most characters of a host name without its final dot (RFC 1035, section 2.3.4). A label has at most 63."""


def check_host(host: str) -> None:
    """Raise ValueError unless it is a host name or an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if len(host) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError("its host is no name or address of a machine") from None


def check_port(port: str) -> None:
    """Raise ValueError unless it is a number from 1 to 65535."""
    if not _PORT.fullmatch(port):
        raise ValueError("its port is no number")
    if not 0 < int(port) <= 65535:
        raise ValueError("a port is from 1 to 65535")


def check_listen_address(value: str) -> None:
    """Raise ValueError unless it is `HOST:PORT`, with an IPv6 host in brackets."""
    host, colon, port = value.rpartition(":")
    if not colon or not host:
        raise ValueError("it must be an address and port, such as 127.0.0.1:8600")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("put an IPv6 address in brackets, such as [::1]:8600")
    check_port(port)
    check_host(host.removeprefix("[").removesuffix("]"))


def check_web_address(value: str) -> None:
    """Raise ValueError unless it is an http or https URL of only a host, a port and a path.

    Each HTTP client of the bot reads such a URL in the same way.
    """
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme not in {"http", "https"}
        or not _VISIBLE_ASCII.fullmatch(value)
        or "\\" in value
        or parts.query
        or parts.fragment
    ):
        raise ValueError("it must be a web address, such as https://example.com/")
    if "@" in parts.netloc:
        raise ValueError("leave out the name and password before the @")
    after_ipv6_host = parts.netloc.rpartition("]")[2]
    if ":" in after_ipv6_host:
        check_port(after_ipv6_host.partition(":")[2])
    if parts.netloc.startswith("[") and ":" not in host:
        raise ValueError("its host is no name or address of a machine")
    check_host(host)
