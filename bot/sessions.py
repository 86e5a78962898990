"""HTTP sessions for every client of the bot: through the environment's proxy, and never redirected."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from yarl import URL

from bot.errors import Unusable
from bot.proxies import proxy_for

_MOVED = frozenset({301, 302, 303, 307, 308})
"""The statuses for which aiohttp asks again at another address."""


class Redirected(aiohttp.ClientError):
    """The answer sends us to another address, which is not followed: the token would go there too."""


async def through_proxy(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Sends a request through the proxy that `proxy_for` names. Raises ClientConnectionError if it can't be used.

    What the caller asked for does not count: Slack's SDK asks for the environment's proxy at every address.
    """
    try:
        proxy = proxy_for(str(request.url))
    except Unusable as error:
        raise aiohttp.ClientConnectionError(error.words) from None
    if proxy is None:
        request.update_proxy(None, None, None)
    else:
        address = URL(proxy)
        login = _login(address)
        request.update_proxy(address.with_user(None), None, login)
        if not request.is_ssl():  # then the request itself goes to the proxy, and no CONNECT before it
            request.headers.update(login)
    return await send(request)


def _login(proxy: URL) -> dict[str, str]:
    if proxy.user is None:
        return {}
    return {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}


async def _without_redirects(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    answer = await send(request)
    if answer.status in _MOVED:
        answer.close()
        raise Redirected(f"redirected with status {answer.status}")
    return answer


MIDDLEWARES: tuple[ClientMiddlewareType, ...] = (_without_redirects, through_proxy)


def new_session(**options: Any) -> aiohttp.ClientSession:
    """A session for calls to Slack and to this machine, with aiohttp's own `options`; to be closed.

    A redirect raises Redirected, also in a client that follows them by default, as Slack's SDK does.
    """
    return aiohttp.ClientSession(middlewares=MIDDLEWARES, **options)
