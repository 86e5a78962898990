"""Time. The only module of the bot that reads a clock or sleeps.

Two clocks run side by side. *Ours* (`now`, `sleep_until`) is the one that offers, leases, approvals, polls and
billing live by; tests and the sandbox move it. *Real* time (`real`, `monotonic`, `pause`) is for what the outside
measures by itself: acknowledgements, pace, Retry-After, HTTP time-outs, claims.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the bot knows of time. All moments are aware and in UTC."""

    @property
    def revision(self) -> int:
        """How often our time was moved, as far as this clock has seen."""

    def now(self) -> datetime:
        """Our time."""

    def real(self) -> datetime:
        """The wall's time, which nobody moves."""

    def monotonic(self) -> float:
        """Real seconds since any moment, for deadlines: nobody sets them back, as the wall's time may be."""

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        """Returns when our time has reached `moment`, or `wake` is set. None waits for `wake` alone."""

    async def pause(self, seconds: float) -> None:
        """Sleeps for real seconds."""


async def _first(wake: asyncio.Event, moved: asyncio.Event, seconds: float | None) -> None:
    """Waits for either event or for real seconds."""
    waits = {asyncio.ensure_future(wake.wait()), asyncio.ensure_future(moved.wait())}
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


class SystemClock:
    """Ours and real are the same."""

    revision = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        while not wake.is_set():
            left = None if moment is None else (moment - self.now()).total_seconds()
            if left is not None and left <= 0:
                return
            # An hour at most, so that a wall clock that was set anew is noticed.
            await _first(wake, asyncio.Event(), None if left is None else min(left, 3600.0))

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class MovedClock(SystemClock):
    """Ours stands wherever it was put, and runs on at `speed` from there. Tests move it; `FollowedClock` too."""

    def __init__(self, start: datetime, speed: float = 0.0) -> None:
        self.revision = 0
        self._base = start
        self._speed = speed
        self._set_at = time.monotonic()
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._base + timedelta(seconds=(time.monotonic() - self._set_at) * self._speed)

    def put(self, moment: datetime, *, speed: float | None = None, revision: int | None = None) -> None:
        """Sets our time, never back, and wakes whoever sleeps by it."""
        self._base = max(moment, self.now())
        self._set_at = time.monotonic()
        self._speed = self._speed if speed is None else speed
        self.revision = self.revision + 1 if revision is None else revision
        self._moved.set()
        self._moved = asyncio.Event()

    def jump(self, span: timedelta) -> None:
        """Moves our time on by `span`."""
        self.put(self.now() + span)

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        while not wake.is_set():
            left = None if moment is None else (moment - self.now()).total_seconds()
            if left is not None and left <= 0:
                return
            timeout = left / self._speed if left is not None and self._speed > 0 else None
            await _first(wake, self._moved, timeout)


class FollowedClock(MovedClock):
    """Follows the sandbox's clock through `watch`, which waits for the next change and answers with the clock.

    `watch(after)` returns (now, speed, revision). Between changes time runs on by itself.
    """

    def __init__(self, watch: Callable[[int | None], Awaitable[tuple[datetime, float, int]]]) -> None:
        super().__init__(datetime.fromtimestamp(0, UTC))
        self._watch = watch

    async def start(self) -> None:
        """Reads the clock once. Raises what `watch` raises where it can't be read."""
        await self._take(None)

    async def follow(self) -> None:
        """Takes every change until cancelled; where the sandbox is away, time runs on."""
        while True:
            try:
                await self._take(self.revision)
            except (OSError, TimeoutError, ValueError):
                await self.pause(0.2)

    async def _take(self, after: int | None) -> None:
        now, speed, revision = await self._watch(after)
        if after is None or revision != after:
            self.put(now, speed=speed, revision=revision)
