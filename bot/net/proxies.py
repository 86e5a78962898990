"""Chooses the proxy of a request from the environment. Every HTTP client of the bot uses it."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.errors import Unusable

_SAME_AS = {"ws": "http", "wss": "https"}
"""A WebSocket starts as an HTTP request and uses its proxy."""
_SUPPORTED = frozenset({"http", "https"})


def is_loopback(url: str) -> bool:
    """Return whether a URL names this machine."""
    return _is_this_machine(urlsplit(url).hostname or "")


@lru_cache(maxsize=64)
def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy for a request to `url`, with user and password.

    HTTP_PROXY or HTTPS_PROXY, by the scheme of `url`, has it, else ALL_PROXY; lower-case names win. Return None if
    none is set or NO_PROXY names the host. Also return None for this machine: requests to it may be plain http,
    and a proxy would read the token. Raise Unusable if the proxy can't be used. The error shows nothing of the
    proxy's URL, which may have a password.
    """
    if is_loopback(url):
        return None
    parts = urlsplit(url)
    scheme = _SAME_AS.get(parts.scheme, parts.scheme)
    proxies = getproxies()
    source = next((name for name in (scheme, "all") if proxies.get(name)), None)
    if source is None or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    # Without a scheme ("proxy:3128"), curl takes it for an http proxy. So do we.
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
