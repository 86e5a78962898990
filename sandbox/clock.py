"""The sandbox's time, and the only place in `sandbox/` that reads the machine's clock or sleeps.

Two kinds of time meet here. *Sandbox time* is what the world's calendars show: it runs at a speed and can
jump forward. *Real time* is what sockets live in: `Bell.until`, `real_sleep` and `real_monotonic` count it.
"""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial


async def real_sleep(seconds: float) -> None:
    """Lets `seconds` of real time pass."""
    await asyncio.sleep(max(0.0, seconds))


def real_monotonic() -> float:
    """Seconds of real time since some fixed moment, for rate limits that sandbox time must not bend."""
    return time.monotonic()


class Bell:
    """Rings when something changed, and wakes everyone who waits for a condition to come true."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Makes every waiter look at its condition again."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Waits until `condition()` holds, for at most `seconds` of real time (None: for ever).

        Returns whether it holds. The condition is looked at now and after each ring.
        """
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._rung.wait()
        except TimeoutError:
            return condition()
        return True


class SandboxClock:
    """Sandbox time: aware, in UTC, at a speed, with jumps, and never running back.

    `revision` grows by one with each jump or change of speed, so that whoever follows this clock from another
    process knows when to read it again.
    """

    def __init__(self, start: datetime | None = None, *, speed: float = 1.0) -> None:
        """Starts at `start` (aware; now when not given) and runs `speed` times as fast as real time.

        Raises ValueError for a naive `start` or a speed that is negative or not finite.
        """
        if start is not None and start.tzinfo is None:
            raise ValueError("the clock's start needs a time zone")
        self._base = (start or datetime.now(UTC)).astimezone(UTC)
        self._base_real = time.monotonic_ns()
        self._speed = _checked_speed(speed)
        self._revision = 0
        self._bell = Bell()

    @property
    def revision(self) -> int:
        """How often the clock was jumped or given another speed."""
        return self._revision

    @property
    def speed(self) -> float:
        """Sandbox seconds per real second; 0 stands still and moves by jumps alone."""
        return self._speed

    def now(self) -> datetime:
        """Sandbox time, to the microsecond."""
        return self._at(time.monotonic_ns())

    def jump(self, seconds: float) -> None:
        """Moves the clock forward. Raises ValueError for a negative or endless jump."""
        self.change(jump=seconds)

    def jump_to(self, moment: datetime) -> None:
        """Moves the clock forward to an aware time. Raises ValueError when that has passed."""
        self.change(to=moment)

    def set_speed(self, speed: float) -> None:
        """Changes the speed from now on; 0 stops time. Raises ValueError for a negative or endless one."""
        self.change(speed=speed)

    def change(self, *, jump: float | None = None, to: datetime | None = None, speed: float | None = None) -> None:
        """Jumps by seconds or to a time, changes the speed, or both, as one change of one revision.

        Raises ValueError, and changes nothing, when time would run back or a number makes no sense.
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
        self._bell.ring()

    async def wait_revision(self, after: int, seconds: float) -> int:
        """Waits until the revision is higher than `after`, for `seconds` of real time at most; returns it."""
        await self._bell.until(partial(self._moved_since, after), seconds)
        return self._revision

    async def sleep_until(self, moment: datetime) -> None:
        """Returns when sandbox time has reached `moment` (aware), at once after a jump that passes it."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            revision = self._revision
            # Rounded up to a millisecond, so that the last microseconds don't become a busy loop.
            real_left = None if self._speed == 0 else math.ceil(left / self._speed * 1000) / 1000
            await self._bell.until(partial(self._moved_since, revision), real_left)

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
