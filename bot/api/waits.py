"""Delays answers until something has changed.

While a request waits, nothing is read and no transaction is open. The rental is read again when this process has
committed a change of it. If other processes share the database, it is also read again every LOOK_EVERY seconds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.clock import Clock
from bot.model.records import Change
from store.db import Database

MOST_OF_TOKEN = 4
MOST = 100
"""The maximum number of waits of one token, and of all tokens together. Further requests are answered at once."""
LOOK_EVERY = 2.0
"""The time in wall-clock seconds between two checks for changes by other processes and for closed connections."""

T = TypeVar("T")


class Waits:
    """The requests of this process that wait for changes."""

    def __init__(self, store: Database, clock: Clock) -> None:
        self._clock = clock
        self._shared = store.shared
        self._of_token: Counter[str] = Counter()
        self._bells: dict[str, set[asyncio.Event]] = {}
        """For each rental, the events that wake the requests which wait for a change of it."""
        self._stopping = False
        store.on_change(self._changed)

    @property
    def count(self) -> int:
        """The number of requests that are waiting."""
        return self._of_token.total()

    def stop(self) -> None:
        """End all waits, and let no further request wait, because the process stops."""
        self._stopping = True
        self._ring(*self._bells)

    async def until_changed(
        self,
        token_id: str,
        rental_id: str,
        seconds: float,
        look: Callable[[], Awaitable[T]],
        *,
        first: T,
        differs: Callable[[T, T], bool],
        connected: Callable[[], bool],
    ) -> T:
        """Return the first answer that differs from `first`, or the newest one after `seconds` of wall-clock time.

        The wait also ends when the process stops, and when the client has closed the connection. If too many
        requests are waiting already, `first` is returned at once.

        Args:
            token_id: The token whose waits are counted.
            rental_id: The rental whose changes matter.
            seconds: The longest wait.
            look: Reads the answer again.
            first: The present answer.
            differs: Returns whether two answers differ.
            connected: Returns whether the client still waits for the answer.
        """
        if self._stopping or self._of_token[token_id] >= MOST_OF_TOKEN or self.count >= MOST:
            return first
        bell, ends, newest = asyncio.Event(), self._clock.monotonic() + seconds, first
        self._of_token[token_id] += 1
        self._bells.setdefault(rental_id, set()).add(bell)
        try:
            # Read the rental again. If it changed after `first` was read, but before `bell` was added, the change
            # didn't set `bell`.
            newest = await look()
            while not differs(first, newest) and not self._stopping and connected():
                left = ends - self._clock.monotonic()
                if left <= 0:
                    break
                if await _rings(bell, min(left, LOOK_EVERY)) or self._shared:
                    bell.clear()
                    newest = await look()
            return newest
        finally:
            self._forget(token_id, rental_id, bell)

    def _forget(self, token_id: str, rental_id: str, bell: asyncio.Event) -> None:
        self._of_token[token_id] -= 1
        if not self._of_token[token_id]:
            del self._of_token[token_id]
        self._bells[rental_id].discard(bell)
        if not self._bells[rental_id]:
            del self._bells[rental_id]

    def _changed(self, change: Change) -> None:
        self._ring(change.after.id)

    def _ring(self, *rental_ids: str) -> None:
        for rental_id in rental_ids:
            for bell in self._bells.get(rental_id, ()):
                bell.set()


async def _rings(bell: asyncio.Event, seconds: float) -> bool:
    """Wait until an event is set, for at most `seconds` of wall-clock time. Return whether it was set."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return False
    return True
