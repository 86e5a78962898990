"""HTTP sessions that use the environment's proxy and follow no redirect."""

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
"""The statuses for which aiohttp repeats the request at another address."""


class Redirected(aiohttp.ClientError):
    """The answer is a redirect. The session does not follow it, because the token would go to the other address
    too.
    """


async def through_proxy(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Send a request through the proxy that `proxy_for` returns. Raise ClientConnectionError if that proxy can't
    be used.

    Ignore the caller's choice of a proxy: Slack's SDK would use one even for requests to this machine.
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
        if not request.is_ssl():  # a plain http request goes to the proxy itself, without a CONNECT before it
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
    """Return a session for calls to Slack and to this machine, with aiohttp's `options`. The caller closes it.
    `witness` reads the date of each answer.

    It raises Redirected for a redirect, even if the client that uses it would follow one, as Slack's SDK would.
    """
    heard = () if witness is None else (partial(_note_date, witness),)
    return aiohttp.ClientSession(middlewares=(*MIDDLEWARES, *heard), **options)


class TooLong(ValueError):
    """An answer is longer than any that makes sense."""


async def read_body(answer: ClientResponse, most: int) -> bytes:
    """Return the body of an answer. Raise TooLong as soon as more than `most` bytes have come."""
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
