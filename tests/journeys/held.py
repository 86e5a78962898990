"""Requests that the sandbox holds or spoils."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.demo.outside import Json
from bot.demo.play import Missed

WAIT = 25
"""Real seconds that a long poll may take: the sandbox's longest."""


class Held:
    """Requests that meet a fault, and what becomes of them."""

    def __init__(self, call: Callable[..., Awaitable[Json]], fault_id: str) -> None:
        """`call` makes a control call to the server that the fault is at."""
        self._call, self._id = call, fault_id

    async def met(self) -> None:
        """Returns once a request has met it; one that acts first has then acted. Raises Missed."""
        said = await self._call("GET", f"faults/{self._id}", None, wait=WAIT)
        if not said["hits"]:
            raise Missed(f"No request met the fault: {said}")

    async def dropped(self) -> None:
        """Returns once the client of a held request has gone. Raises Missed."""
        query: dict[str, object] = {"for": "dropped", "wait": WAIT}
        said = await self._call("GET", f"faults/{self._id}", None, **query)
        if not said["dropped"]:
            raise Missed(f"No client went: {said}")

    async def release(self) -> None:
        """Lets what is held go on, and removes the fault."""
        await self._call("POST", f"faults/{self._id}/release")
