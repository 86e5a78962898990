"""Time. No other module of the bot reads a clock or sleeps.

There are two clocks. *Our* time (`now`, `sleep_until`) decides offers, leases, approvals, polls and billing;
tests and the sandbox can move it. *Real* time (`real`, `monotonic`, `pause`) is for spans that other systems
measure: acknowledgements, the pace of posts, Retry-After, HTTP time-outs, claims.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol

SET_BACK = 5.0
"""Real seconds by which a sleep may take longer than expected. Then it ends: the clock was set back, and not only
slowed down a little."""
WITNESS_LASTS = 600.0
"""Real seconds for which the `Date` header of an answer counts."""
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
        for which the machine was suspended counts.
        """

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        """Return once our time has reached `moment`, or `wake` is set. If `moment` is None, wait for `wake` alone.

        If somebody sets the clock back meanwhile, don't wait much longer than it would have taken.
        """

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
        began, span = self.monotonic(), self._until(moment)
        while not wake.is_set():
            left = self._until(moment)
            if left is not None and span is not None:
                left = min(left, span + SET_BACK - (self.monotonic() - began))
            if left is not None and left <= 0:
                return
            # At most an hour at once: a longer wait would be wrong if someone sets the machine's clock meanwhile.
            await _wait_for_either(wake, asyncio.Event(), None if left is None else min(left, 3600.0))

    def _until(self, moment: datetime | None) -> float | None:
        """Return the seconds of our time until a moment."""
        return None if moment is None else (moment - self.now()).total_seconds()

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


# --- the clocks of others


class CorrectedClock:
    """A clock that shows what another one shows, less what that one is ahead. Spans of time are those of the other
    one.
    """

    def __init__(self, uncorrected: Clock) -> None:
        self.uncorrected = uncorrected
        self.ahead = timedelta(0)

    @property
    def revision(self) -> int:
        return self.uncorrected.revision

    @property
    def speed(self) -> float:
        return self.uncorrected.speed

    def now(self) -> datetime:
        return self.uncorrected.now() - self.ahead

    def real(self) -> datetime:
        return self.uncorrected.real() - self.ahead

    def monotonic(self) -> float:
        return self.uncorrected.monotonic()

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        await self.uncorrected.sleep_until(None if moment is None else moment + self.ahead, wake)

    async def pause(self, seconds: float) -> None:
        await self.uncorrected.pause(seconds)


class Reading(NamedTuple):
    """The time that another machine's clock showed at some moment between `before` and `after`.

    Both are times of `Clock.monotonic`, so that a reading stays true if somebody sets this machine's clock.
    """

    time: datetime
    before: float
    after: float

    def ahead(self, clock: Clock) -> timedelta:
        """Return by how much this machine's clock is now ahead of the other one, at least. Negative if it is
        behind.
        """
        since, now = clock.real() - self.time, clock.monotonic()
        least = since - timedelta(seconds=now - self.before)
        most = since - timedelta(seconds=now - self.after)
        return max(least, timedelta(0)) + min(most, timedelta(0))


class Witness:
    """The clock of a server, read from the `Date` headers of its answers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._reading: Reading | None = None
        self.heard = asyncio.Event()
        """Set once the server has answered, with or without a usable header."""

    def note(self, headers: Mapping[str, str], before: float) -> None:
        """Read the headers of an answer that has just come. `before` is the monotonic time of its request.

        An answer with an `Age` comes from a cache, so its date says nothing about now (RFC 9111, 5.1).
        """
        self.heard.set()
        date = http_date(headers.get("Date", ""))
        if date is not None and "Age" not in headers:
            # The header has whole seconds, rounded down.
            self._reading = Reading(date, before - 1.0, self.clock.monotonic())

    def ahead(self) -> timedelta | None:
        """Return by how much this machine's clock is ahead of the server's, at least. Return None if no header of
        the last ten minutes says so.
        """
        if self._reading is None or self.clock.monotonic() - self._reading.after > WITNESS_LASTS:
            return None
        return self._reading.ahead(self.clock)


class Witnesses(NamedTuple):
    """The servers whose clocks this machine's is compared with."""

    market: Witness
    slack: Witness

    def ahead(self) -> list[timedelta]:
        """Return by how much this machine's clock is ahead of each server's, of those that are known."""
        return [ahead for witness in self if (ahead := witness.ahead()) is not None]

    async def heard(self) -> None:
        """Wait until each server has answered once."""
        for witness in self:
            await witness.heard.wait()


def http_date(header: str) -> datetime | None:
    """Return the time of an HTTP header that has a date. Return None if the header can't be read."""
    try:
        found = parsedate_to_datetime(header)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
