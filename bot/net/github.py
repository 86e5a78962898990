"""Reads the public SSH keys of GitHub users from `https://github.com/NAME.keys`, which has one key on each line.

Anyone can read these pages. docs.github.com/en/authentication/connecting-to-github-with-ssh explains how people
add keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import structlog

from bot.errors import KeysUnavailable
from bot.net.sessions import Redirected, TooLong, new_session, read_body

SECONDS = 1.5
"""The maximum time in seconds (wall clock) for a call to GitHub.

It is short because Slack waits only 3 s for an acknowledgement, and the store needs part of that time.
"""
MOST_BYTES = 64 * 1024
_NO_ANSWER = (aiohttp.ClientError, OSError, ValueError)

_log = structlog.get_logger("gpubot.github")


class Github:
    """GitHub as a source of SSH keys (`bot.lifecycle.outside.KeySource`)."""

    def __init__(self, url: str, session: aiohttp.ClientSession, *, seconds: float = SECONDS) -> None:
        """Create a client. To get one with a session of its own, call `github_at`.

        `seconds` is the time limit of one call.
        """
        self._url = url.rstrip("/")
        self._session = session
        self._seconds = seconds

    async def key_lines(self, name: str) -> tuple[str, ...] | None:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._lines(name)
        except TimeoutError:
            message = f"GitHub didn't answer within {self._seconds:g} s."
            failed = "TimeoutError"
        except Redirected as error:
            message = "GitHub redirected me to another address, which I don't follow."
            failed = type(error).__name__
        except _NO_ANSWER as error:
            message, failed = "GitHub can't be reached.", type(error).__name__
        _log.warning("github.no_answer", error=failed)
        raise KeysUnavailable(message)

    async def _lines(self, name: str) -> tuple[str, ...] | None:
        async with self._session.get(f"{self._url}/{name}.keys") as answer:
            if answer.status == 404:
                return None
            if answer.status != 200:
                _log.warning("github.no_answer", status=answer.status)
                raise KeysUnavailable(f"GitHub answered with error {answer.status}.")
            try:
                body = await read_body(answer, MOST_BYTES)
            except TooLong:
                _log.warning("github.no_answer", error="too long")
                raise KeysUnavailable(
                    "GitHub answered with more than 64 KiB, which is more than I read."
                ) from None
        lines = body.decode("utf-8", errors="replace").splitlines()
        return tuple(line for line in lines if line.strip())


@asynccontextmanager
async def github_at(url: str, *, seconds: float = SECONDS) -> AsyncIterator[Github]:
    """Yield a client for GitHub at this address.

    The client's session stores no cookies, and doesn't decompress answers. A small compressed answer could
    otherwise expand to far more than MOST_BYTES.
    """
    async with new_session(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": "gpubot", "Accept": "text/plain", "Accept-Encoding": "identity"},
    ) as session:
        yield Github(url, session, seconds=seconds)
