"""Time. No other module of the bot reads a clock or sleeps.

There are two clocks. *Our* time (`now`, `sleep_until`) decides offers, leases, approvals, polls and billing;
tests and the sandbox can move it. *Real* time (`real`, `monotonic`, `pause`) is for spans that other systems
measure: acknowledgements, the pace of posts, Retry-After, HTTP time-outs, claims.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Reads time and sleeps. All moments are aware and in UTC."""

    @property
    def revision(self) -> int:
        """Return how often our time was moved or its speed was changed, as this clock knows."""

    @property
    def speed(self) -> float:
        """Return how many seconds of our time pass in one of real time."""

    def now(self) -> datetime:
        """Return our time."""

    def real(self) -> datetime:
        """Return real time, which tests and the sandbox can't move."""

    def monotonic(self) -> float:
        """Return real seconds since some moment, for deadlines. Unlike `real`, they never go back. On Linux, time
        for which the machine was suspended counts."""

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        """Return once our time has reached `moment`, or `wake` is set. If `moment` is None, wait for `wake`
        alone."""

    async def pause(self, seconds: float) -> None:
        """Sleep for that many real seconds."""


async def _wait_for_either(wake: asyncio.Event, moved: asyncio.Event, seconds: float | None) -> None:
    """Wait for one of two events, for at most `seconds` of real time."""
    waits = {asyncio.ensure_future(wake.wait()), asyncio.ensure_future(moved.wait())}
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


class SystemClock:
    """A clock whose time is real time."""

    revision = 0

    @property
    def speed(self) -> float:
        return 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_MONOTONIC)

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        while not wake.is_set():
            left = None if moment is None else (moment - self.now()).total_seconds()
            if left is not None and left <= 0:
                return
            # At most an hour at once: a longer wait would be wrong if someone sets the machine's clock meanwhile.
            await _wait_for_either(wake, asyncio.Event(), None if left is None else min(left, 3600.0))

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class MovedClock(SystemClock):
    """A clock that can be moved. Our time starts at `start` and runs at `speed`; at 0 it stands still."""

    def __init__(self, start: datetime, speed: float = 0.0) -> None:
        self.revision = 0
        self._base = start
        self._speed = speed
        self._set_at = time.monotonic()
        self._moved = asyncio.Event()

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> datetime:
        return self._base + timedelta(seconds=(time.monotonic() - self._set_at) * self._speed)

    def put(self, moment: datetime, *, speed: float | None = None, revision: int | None = None) -> None:
        """Set our time, but never back, and let every sleep until a moment check that moment again."""
        self._base = max(moment, self.now())
        self._set_at = time.monotonic()
        self._speed = self._speed if speed is None else speed
        self.revision = self.revision + 1 if revision is None else revision
        self._moved.set()
        self._moved = asyncio.Event()

    def jump(self, span: timedelta) -> None:
        """Move our time forward by `span`."""
        self.put(self.now() + span)

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        while not wake.is_set():
            left = None if moment is None else (moment - self.now()).total_seconds()
            if left is not None and left <= 0:
                return
            timeout = left / self._speed if left is not None and self._speed > 0 else None
            await _wait_for_either(wake, self._moved, timeout)
