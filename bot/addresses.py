"""Hosts, ports and web addresses as settings hold them. The checks raise ValueError with what to write instead."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_PLAIN = re.compile(r"[!-~]+")
LONGEST_HOST = 253
"""RFC 1035, section 2.3.4, without the dot at its end; a label has 63 at most."""


def check_host(host: str) -> None:
    """Raise ValueError unless it is the name or address of a host."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if len(host) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError("its host is no name or address of a machine") from None


def check_port(port: str) -> None:
    """Raise ValueError unless it is a port that can be named."""
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
    """Raise ValueError unless it is an http or https URL that every client can call: host, port and path alone."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme not in {"http", "https"}
        or not _PLAIN.fullmatch(value)
        or "\\" in value
        or parts.query
        or parts.fragment
    ):
        raise ValueError("it must be a web address, such as https://example.com/")
    if "@" in parts.netloc:
        raise ValueError("leave out the name and password before the @")
    after = parts.netloc.rpartition("]")[2]
    if ":" in after:
        check_port(after.partition(":")[2])
    if parts.netloc.startswith("[") and ":" not in host:
        raise ValueError("its host is no name or address of a machine")
    check_host(host)
