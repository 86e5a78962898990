"""What listeners are given. bot/app.py makes one and hands it to `handlers.listeners.register`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.lifecycle.desk import Desk
from bot.model.offer import Catalog
from handlers.hints import Hints
from handlers.people import People
from handlers.rooms import SlackRooms
from handlers.views.blocks import Json


class Gate:
    """Counts what is being handled, so that the process leaves only when nothing is."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Round everything that must not be cut off."""
        self.in_flight += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0:
                self._empty.set()

    async def idle(self) -> None:
        """Waits until nothing is in flight."""
        await self._empty.wait()

    async def drain(self, seconds: float) -> bool:
        """Waits until nothing is in flight, at most real `seconds`; says whether nothing is. What arrives
        meanwhile is taken and committed all the same: Slack sends it to no one else, and whoever starts next goes
        on with it."""
        try:
            async with asyncio.timeout(seconds):
                await self.idle()
        except TimeoutError:
            return False
        return True


class Post(Protocol):
    """`handlers.delivery.loop.Delivery.post`."""

    async def __call__(self, to: str, text: str, blocks: Sequence[Json] = ()) -> bool: ...


async def not_posted(to: str, text: str, blocks: Sequence[Json] = ()) -> bool:
    """Stands where nothing is posted."""
    return False


@dataclass(frozen=True)
class Context:
    """The desk for decisions, what is known of the outside, and Slack's client for the few calls of a listener."""

    desk: Desk
    catalog: Callable[[], Catalog | None]
    """The catalogue as last read, None before the first time. Never waits."""
    people: People
    rooms: SlackRooms
    client: AsyncWebClient
    gate: Gate = field(default_factory=Gate)
    hints: Hints = field(default_factory=Hints)
    post: Post = not_posted
    """Posts to a person without the outbox, at the pace of all posts. Returns whether Slack took it."""
