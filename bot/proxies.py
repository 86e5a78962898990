"""Which proxy a request goes through. Every client of the bot asks here and nowhere else."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.errors import Unusable

_SAME_AS = {"ws": "http", "wss": "https"}
"""A WebSocket starts as a request and takes the proxy of one."""
_SPOKEN = frozenset({"http", "https"})


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy for a request to `url`, user and password included.

    HTTP_PROXY or HTTPS_PROXY by the scheme of `url`, else ALL_PROXY; lower-case names win. Return None if none is
    set, if NO_PROXY names the host, and always for this machine: it may be spoken to in plain http, in which a
    proxy would read the token. Raise Unusable if the proxy can't be used; the words hold nothing of its URL.
    """
    if is_loopback(url):
        return None
    parts = urlsplit(url)
    scheme = _SAME_AS.get(parts.scheme, parts.scheme)
    named = getproxies()
    source = next((name for name in (scheme, "all") if named.get(name)), None)
    if source is None or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    # "proxy:3128" means http, as with curl.
    proxy = named[source] if "://" in named[source] else f"http://{named[source]}"
    setting = f"{source.upper()}_PROXY"
    try:
        found = urlsplit(proxy)
        usable = bool(found.hostname) and found.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Unusable(f"{setting} is not the address of a proxy. Write it as http://HOST:PORT.")
    if found.scheme not in _SPOKEN:
        raise Unusable(
            f"{setting} names a {found.scheme} proxy, and I can use only http and https ones. "
            f"Name one of those, or list {parts.hostname} in NO_PROXY."
        )
    return proxy
