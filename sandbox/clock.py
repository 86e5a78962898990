"""The sandbox's clock. No other module of the sandbox reads the machine's clock or sleeps.

*Sandbox time* is the date and time that the simulated services show. It can run faster or slower than the wall
clock, and jump forward. Sockets and timeouts use *wall-clock time*, through `Notifier.wait_for`, `real_sleep` and
`real_monotonic`.
"""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial


async def real_sleep(seconds: float) -> None:
    """Sleep for this many wall-clock seconds."""
    await asyncio.sleep(max(0.0, seconds))


def real_monotonic() -> float:
    """Return a monotonic time in wall-clock seconds, for limits that the sandbox's clock must not affect."""
    return time.monotonic()


def real_seconds() -> float:
    """Return the wall-clock time in Unix seconds. Signatures of requests contain this time."""
    return time.time()


class Notifier:
    """Wakes tasks that wait for a condition when something has changed."""

    def __init__(self) -> None:
        self._notified = asyncio.Event()

    def notify(self) -> None:
        """Make every waiting task evaluate its condition again."""
        self._notified.set()
        self._notified = asyncio.Event()

    async def wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `condition()` is true, and return whether it is.

        The condition is evaluated immediately and after each `notify`. The wait takes at most `seconds` of
        wall-clock time, or has no limit if `seconds` is None.
        """
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._notified.wait()
        except TimeoutError:
            return condition()
        return True


class SandboxClock:
    """A clock that runs at a configurable speed and can jump forward, but never goes back.

    Its times are aware and in UTC. Each jump or change of speed increases `revision` by one. A process that
    follows this clock can wait for a new revision, and then read the clock again.
    """

    def __init__(self, start: datetime | None = None, *, speed: float = 1.0) -> None:
        """Start the clock at `start` (default: now), running `speed` times as fast as the wall clock.

        Raises ValueError if `start` has no time zone, or if the speed is negative or not finite.
        """
        if start is not None and start.tzinfo is None:
            raise ValueError("the clock's start needs a time zone")
        self._base = (start or datetime.now(UTC)).astimezone(UTC)
        self._base_real = time.monotonic_ns()
        self._speed = _checked_speed(speed)
        self._revision = 0
        self._changes = Notifier()

    @property
    def revision(self) -> int:
        """The number of jumps and speed changes so far."""
        return self._revision

    @property
    def speed(self) -> float:
        """Sandbox seconds per wall-clock second. At 0, the clock moves only by jumps."""
        return self._speed

    def now(self) -> datetime:
        """Return the current sandbox time, with microseconds."""
        return self._at(time.monotonic_ns())

    def jump(self, seconds: float) -> None:
        """Move the clock forward by `seconds`. Raise ValueError if they are negative or infinite."""
        self.change(jump=seconds)

    def jump_to(self, moment: datetime) -> None:
        """Move the clock forward to an aware time. Raise ValueError if that time is in the past."""
        self.change(to=moment)

    def change(self, *, jump: float | None = None, to: datetime | None = None, speed: float | None = None) -> None:
        """Jump, change the speed, or do both, as a single revision.

        Raises ValueError, without changing anything, if the clock would go back or a number is out of range.

        Args:
            jump: The number of sandbox seconds to skip. Can't be combined with `to`.
            to: The aware time to skip to.
            speed: The new speed, in sandbox seconds per wall-clock second.
        """
        real = time.monotonic_ns()
        now = self._at(real)
        target = now
        if jump is not None and to is not None:
            raise ValueError("give jump or to, not both")
        if jump is not None:
            target = _checked_jump(now, jump)
        if to is not None:
            if to.tzinfo is None:
                raise ValueError("the time needs a zone")
            target = to.astimezone(UTC)
        if target < now:
            raise ValueError("time never goes back")
        new_speed = self._speed if speed is None else _checked_speed(speed)
        self._base, self._base_real, self._speed = target, real, new_speed
        self._revision += 1
        self._changes.notify()

    async def wait_revision(self, after: int, seconds: float) -> int:
        """Wait up to `seconds` of wall-clock time for a revision higher than `after`, and return the revision."""
        await self._changes.wait_for(partial(self._moved_since, after), seconds)
        return self._revision

    async def sleep_until(self, moment: datetime) -> None:
        """Sleep until the sandbox time reaches `moment` (aware), whether by passing or by a jump."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            revision = self._revision
            # Sleep for at least a millisecond. With shorter sleeps, this loop would run again and again during the
            # last microseconds.
            real_left = None if self._speed == 0 else math.ceil(left / self._speed * 1000) / 1000
            await self._changes.wait_for(partial(self._moved_since, revision), real_left)

    def _moved_since(self, revision: int) -> bool:
        return self._revision > revision

    def _at(self, real: int) -> datetime:
        return self._base + timedelta(microseconds=int((real - self._base_real) * self._speed / 1000))


def _checked_speed(speed: float) -> float:
    if not (math.isfinite(speed) and 0 <= speed <= 1_000_000):
        raise ValueError("speed must be from 0 to 1000000")
    return float(speed)


def _checked_jump(now: datetime, seconds: float) -> datetime:
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("a jump is a number of seconds, 0 or more")
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError("a jump that far leaves the calendar") from None
