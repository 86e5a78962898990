"""The sandbox's GitHub for tests, and the bot's client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.net.github import SECONDS, Github, github_at
from sandbox.client import Server
from sandbox.clock import SandboxClock
from sandbox.github import GithubSandbox


@dataclass
class GithubWorld:
    """A GitHub, the keys of its users, and its failures."""

    source: Github
    url: str
    control: Server

    async def has(self, name: str, *lines: str, behaviour: str = "normal") -> None:
        """Give a user these keys, and no others."""
        await self.control.post(f"users/{name}", {"keys": list(lines), "behaviour": behaviour})

    async def fault(self, kind: str, **more: Any) -> None:
        """Make the next request fail."""
        await self.control.post("faults", {"endpoint": "user_keys", "kind": kind, **more})

    async def requests(self) -> list[dict[str, Any]]:
        """Return the requests for keys so far."""
        answer = await self.control.get("traffic")
        return [request for request in answer["requests"] if request["endpoint"] == "user_keys"]


@asynccontextmanager
async def github(*, seconds: float = SECONDS) -> AsyncIterator[GithubWorld]:
    """Yield a GitHub without users. The bot waits at most `seconds` for its answers."""
    sandbox = GithubSandbox(SandboxClock(speed=0))
    try:
        url = await sandbox.start()
        async with github_at(url, seconds=seconds) as source, aiohttp.ClientSession() as session:
            yield GithubWorld(source, url, Server(url, session))
    finally:
        await sandbox.stop()
