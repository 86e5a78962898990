"""The clocks of the bot. No other module reads a clock or sleeps.

There are two times. *Bot time* (`now`, `sleep_until`) is used for offers, leases, approvals, polls and billing.
Tests and the sandbox can set bot time. *Wall-clock time* (`real`, `monotonic`, `pause`) is used for times that
other systems measure. Examples are acknowledgements, the rate of posts, Retry-After, HTTP timeouts, and the claims
by which a process reserves work for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol

SET_BACK = 5.0
"""The number of wall-clock seconds by which a sleep may last longer than expected.

If somebody sets the clock back during a sleep, the clock reaches the planned time later than expected. If the
delay is shorter than SET_BACK, the sleep still lasts until the planned time. If it is longer, the sleep ends
SET_BACK seconds later than expected, before the clock shows the planned time.
"""
WITNESS_LASTS = 600.0
"""The number of wall-clock seconds for which a reading of a server's clock is used.

The reading comes from the `Date` header of a response.
"""
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Provides the current time, and ways to sleep. All datetimes are in UTC and have a time zone."""

    @property
    def revision(self) -> int:
        """A number that increases whenever this clock is set, or begins to run at another speed."""

    @property
    def speed(self) -> float:
        """The number of seconds by which this clock advances in one wall-clock second."""

    def now(self) -> datetime:
        """Return the time on the bot's clock, which tests and the sandbox can set."""

    def real(self) -> datetime:
        """Return the wall-clock time, which tests and the sandbox can't set."""

    def monotonic(self) -> float:
        """Return the seconds on a clock that never goes back. Use it for deadlines.

        Only differences between readings are meaningful. On Linux, the clock also runs while the machine is
        suspended.
        """

    async def sleep_until(self, moment: datetime | None, wake: asyncio.Event) -> None:
        """Sleep until this clock reaches `moment` or `wake` is set. If `moment` is None, only wait for `wake`.

        If the clock is set back during the sleep, the sleep doesn't become much longer.
        """

    async def pause(self, seconds: float) -> None:
        """Sleep for a number of wall-clock seconds."""


async def _wait_for_either(wake: asyncio.Event, moved: asyncio.Event, seconds: float | None) -> None:
    """Wait for either of two events, for at most `seconds` of wall-clock time."""
    waits = {asyncio.ensure_future(wake.wait()), asyncio.ensure_future(moved.wait())}
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


class SystemClock:
    """The clock of a normal bot. It shows the wall-clock time and can't be set."""

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
            # If someone sets the machine's clock forward during a wait, the wait ends too late. To limit the
            # delay, wait for at most an hour at a time.
            await _wait_for_either(wake, asyncio.Event(), None if left is None else min(left, 3600.0))

    def _until(self, moment: datetime | None) -> float | None:
        return None if moment is None else (moment - self.now()).total_seconds()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class MovedClock(SystemClock):
    """A clock that begins at `start`, runs at `speed`, and can be set. At speed 0, it stands still."""

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
        """Set this clock forward to `moment`. If `moment` is in the past, the clock isn't changed.

        Every sleeping task wakes up and checks the time again. `speed` and `revision` are only changed if they are
        given.
        """
        self._base = max(moment, self.now())
        self._set_at = time.monotonic()
        self._speed = self._speed if speed is None else speed
        self.revision = self.revision + 1 if revision is None else revision
        self._moved.set()
        self._moved = asyncio.Event()

    def jump(self, span: timedelta) -> None:
        """Set this clock forward by `span`."""
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
    """A clock that corrects another clock, which is fast by `ahead`.

    Only the time of day is corrected. The other clock is still used for `monotonic` and for the lengths of sleeps
    and pauses.
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
    """The time that another machine's clock showed at some point between `before` and `after`.

    `before` and `after` are values of `Clock.monotonic`. A reading therefore stays correct if somebody sets this
    machine's clock.
    """

    time: datetime
    before: float
    after: float

    def ahead(self, clock: Clock) -> timedelta:
        """Return the smallest possible difference between this machine's clock and the other machine's clock.

        The difference is positive if this machine's clock is ahead, and negative if it is behind. It is zero if
        the reading isn't exact enough to tell.
        """
        since, now = clock.real() - self.time, clock.monotonic()
        least = since - timedelta(seconds=now - self.before)
        most = since - timedelta(seconds=now - self.after)
        return max(least, timedelta(0)) + min(most, timedelta(0))


class Witness:
    """The clock of a server, read from the `Date` headers of its responses."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._reading: Reading | None = None
        self.heard = asyncio.Event()
        """Set once the server has responded, whether or not the response had a usable header."""

    def note(self, headers: Mapping[str, str], before: float) -> None:
        """Read the headers of a response that has just arrived.

        `before` is the monotonic time at which the request was sent. A response with an `Age` header comes from a
        cache, so its date isn't the current time (RFC 9111, section 5.1).
        """
        self.heard.set()
        date = http_date(headers.get("Date", ""))
        if date is not None and "Age" not in headers:
            # The `Date` header contains whole seconds and is rounded down. The server's clock may have reached
            # this time up to a second before it sent the header.
            self._reading = Reading(date, before - 1.0, self.clock.monotonic())

    def ahead(self) -> timedelta | None:
        """Return the smallest possible difference between this machine's clock and the server's clock.

        The difference is positive if this machine's clock is ahead. None if no response of the last ten minutes
        had a usable date.
        """
        if self._reading is None or self.clock.monotonic() - self._reading.after > WITNESS_LASTS:
            return None
        return self._reading.ahead(self.clock)


class Witnesses(NamedTuple):
    """The servers whose clocks are compared with this machine's clock."""

    market: Witness
    slack: Witness

    def ahead(self) -> list[timedelta]:
        """Return the smallest possible difference between this machine's clock and each server's clock.

        A difference is positive if this machine's clock is ahead. Servers without a recent reading are left out.
        """
        return [ahead for witness in self if (ahead := witness.ahead()) is not None]

    async def heard(self) -> None:
        """Wait until every server has responded once."""
        for witness in self:
            await witness.heard.wait()


def http_date(header: str) -> datetime | None:
    """Return the time in an HTTP header that contains a date. None if it can't be parsed."""
    try:
        found = parsedate_to_datetime(header)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
