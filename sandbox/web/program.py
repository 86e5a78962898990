"""Forwards a program's requests from the page to the bot's REST API.

The page can only call its own origin, and the bot's API listens on another address. The program that starts the
bot sends this address with `POST /_control/bot`.
"""

from __future__ import annotations

import aiohttp
from aiohttp import web

from sandbox.serving import refusal
from sandbox.web.bot import Bot

TIMEOUT_SECONDS = 60
LONGEST_BODY = 65_536
"""The maximum number of bytes in the body of a request."""
_TO_API = ("Authorization", "Idempotency-Key", "Content-Type")
_TO_PAGE = ("Content-Type", "Location", "Retry-After")


def add_program_routes(router: web.UrlDispatcher, bot: Bot) -> None:
    """Add the route that forwards requests, such as `POST /program/v1/rentals`."""

    async def forward(request: web.Request) -> web.Response:
        if bot.api is None:
            raise refusal(409, "no bot with an API is connected")
        body = await request.content.read(LONGEST_BODY + 1)
        if len(body) > LONGEST_BODY:
            raise refusal(422, f"the body has more than {LONGEST_BODY} bytes")
        url = f"{bot.api}/v1/{request.match_info['path']}"
        headers = {name: request.headers[name] for name in _TO_API if name in request.headers}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(
                    request.method,
                    url,
                    params=request.query,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                kept = {name: answer.headers[name] for name in _TO_PAGE if name in answer.headers}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except (aiohttp.ClientError, TimeoutError):
            raise refusal(409, "the bot's API doesn't respond") from None

    for method in ("GET", "POST", "DELETE"):
        router.add_route(method, "/program/v1/{path:[a-z0-9/]+}", forward)
