"""Chooses the proxy for each request, using the environment variables.

All HTTP clients of the bot use this module.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.errors import Unusable

_SAME_AS = {"ws": "http", "wss": "https"}
"""For each scheme of a WebSocket URL, the HTTP scheme whose proxy is used.

A WebSocket begins as an HTTP request of that scheme.
"""
_SUPPORTED = frozenset({"http", "https"})


def is_loopback(url: str) -> bool:
    """Return whether a URL points to this machine."""
    return _is_this_machine(urlsplit(url).hostname or "")


@lru_cache(maxsize=64)
def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy for a request to `url`, including user and password.

    The proxy comes from HTTP_PROXY or HTTPS_PROXY, depending on the scheme of `url`, or else from ALL_PROXY. Names
    in lower case take precedence.

    None if none of these is set, if NO_PROXY lists the host, or if the request goes to this machine. A request to
    this machine may use plain http, so a proxy could read the token in it.

    Raises Unusable if the proxy can't be used. The message doesn't contain the proxy's URL, because the URL may
    contain a password.
    """
    if is_loopback(url):
        return None
    parts = urlsplit(url)
    scheme = _SAME_AS.get(parts.scheme, parts.scheme)
    proxies = getproxies()
    source = next((name for name in (scheme, "all") if proxies.get(name)), None)
    if source is None or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    # An address without a scheme, such as "proxy:3128", is the address of an HTTP proxy. curl interprets it in the
    # same way.
    proxy = proxies[source] if "://" in proxies[source] else f"http://{proxies[source]}"
    setting = f"{source.upper()}_PROXY"
    try:
        found = urlsplit(proxy)
        usable = bool(found.hostname) and found.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Unusable(f"{setting} isn't the address of a proxy. Write it as http://HOST:PORT.")
    if found.scheme not in _SUPPORTED:
        raise Unusable(
            f"{setting} names a {found.scheme} proxy, but I can only use http and https proxies. "
            f"Name one of those, or list {parts.hostname} in NO_PROXY."
        )
    return proxy
