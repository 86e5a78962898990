"""HTTP sessions that use the proxy from the environment and don't follow redirects."""

from __future__ import annotations

from functools import partial
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from yarl import URL

from bot.clock import Witness
from bot.errors import Unusable
from bot.net.proxies import proxy_for

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses that make aiohttp repeat a request at another address."""


class Redirected(aiohttp.ClientError):
    """The answer is a redirect, which the session doesn't follow.

    Following it would send the token to the other address.
    """


async def through_proxy(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Send a request through the proxy that `proxy_for` chooses.

    If the caller has chosen a proxy, that choice is ignored. Otherwise, Slack's SDK would use a proxy even for
    requests to this machine. Raises ClientConnectionError if the proxy can't be used.
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
        if not request.is_ssl():  # without TLS there is no CONNECT request that could carry the login
            request.headers.update(login)
    return await send(request)


def _login(proxy: URL) -> dict[str, str]:
    if proxy.user is None:
        return {}
    return {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}


async def _without_redirects(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    answer = await send(request)
    if answer.status in _REDIRECTS:
        answer.close()
        raise Redirected(f"redirected with status {answer.status}")
    return answer


MIDDLEWARES: tuple[ClientMiddlewareType, ...] = (_without_redirects, through_proxy)


def new_session(witness: Witness | None = None, **options: Any) -> aiohttp.ClientSession:
    """Create a session for calls to Slack and to servers on this machine. The caller must close the session.

    The session never follows a redirect. It raises Redirected instead.

    Args:
        witness: Follows the server's clock, using the `Date` header of each answer.
        options: Other options of aiohttp's ClientSession.
    """
    heard = () if witness is None else (partial(_note_date, witness),)
    return aiohttp.ClientSession(middlewares=(*MIDDLEWARES, *heard), **options)


class TooLong(ValueError):
    """An answer is longer than the limit, so it can't be a legitimate one."""


async def read_body(answer: ClientResponse, most: int) -> bytes:
    """Read the body of an answer. Raises TooLong as soon as more than `most` bytes have arrived."""
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > most:
            raise TooLong
    return bytes(body)


async def _note_date(witness: Witness, request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    before = witness.clock.monotonic()
    answer = await send(request)
    witness.note(answer.headers, before)
    return answer
