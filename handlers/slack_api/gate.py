"""Counts what is being handled, so that the process stops only when nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


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
