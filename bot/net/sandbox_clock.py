"""A clock that follows the sandbox's clock over HTTP (docs/sandbox.md, "The clock")."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp

from bot.clock import Clock, MovedClock, SystemClock
from bot.errors import Unusable

WAIT = aiohttp.ClientTimeout(total=40)
"""The timeout of a request. The sandbox answers after 30 seconds (wall clock) even if its clock hasn't changed."""
RETRY = 0.2
"""The time in seconds (wall clock) between two requests while the sandbox doesn't respond."""

Watch = Callable[[int | None], Awaitable[tuple[datetime, float, int]]]
"""A function that returns the time, speed and revision of the sandbox's clock.

If the function is called with a revision, it waits until the clock's revision is a different one.
"""


class FollowedClock(MovedClock):
    """A clock that copies every change of the sandbox's clock. Between changes, it runs at the sandbox's speed."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(datetime.fromtimestamp(0, UTC))
        self._watch = watch

    async def follow(self) -> None:
        """Copy every change of the sandbox's clock, until this task is cancelled.

        While the sandbox doesn't respond, this clock continues at the last known speed.
        """
        while True:
            try:
                await self.read(self.revision)
            except (OSError, TimeoutError, ValueError):
                await self.pause(RETRY)

    async def read(self, after: int | None = None) -> None:
        """Read the sandbox's clock, and set this clock accordingly.

        Raises the same errors as `watch`.

        Args:
            after: A revision. If given, wait until the revision of the sandbox's clock is a different one.
        """
        now, speed, revision = await self._watch(after)
        if after is None or revision != after:
            self.put(now, speed=speed, revision=revision)


async def clock_of(url: str | None, session: aiohttp.ClientSession) -> Clock:
    """Return a clock that follows the clock at `url`, the value of GPUBOT_CLOCK_URL.

    If `url` is None, this machine's clock is returned. Raises Unusable if the clock at the URL can't be read.
    """
    if url is None:
        return SystemClock()
    address = url.rstrip("/") + "/_control/clock"

    async def watch(after: int | None) -> tuple[datetime, float, int]:
        params = {} if after is None else {"after": str(after)}
        try:
            async with session.get(address, params=params, timeout=WAIT) as answer:
                clock = await answer.json()
            return datetime.fromisoformat(clock["now"]), float(clock["speed"]), int(clock["revision"])
        except (aiohttp.ClientError, KeyError, TypeError) as error:
            raise OSError("the clock does not answer") from error

    clock = FollowedClock(watch)
    try:
        await clock.read()
    except (OSError, ValueError, TimeoutError):
        raise Unusable(
            "GPUBOT_CLOCK_URL: no clock answers at this address. Start the sandbox, or leave the setting out."
        ) from None
    return clock
