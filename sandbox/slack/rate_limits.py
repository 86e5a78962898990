"""Slack's rate limits, which are checked before a method does anything.

The limits are measured in wall-clock time. The tiers limit the number of calls in any 60 seconds. chat.postMessage
accepts one message per second and channel, after a burst of `POST_BURST` messages. Refused calls don't count.

Source of the numbers: https://docs.slack.dev/apis/web-api/rate-limits.
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

POST_BURST = 3
POSTS_PER_MINUTE = 300
"""The maximum number of posts in the whole workspace. Slack documents only "several hundred"."""


@dataclass(frozen=True)
class Tier:
    """The number of calls to a method that the workspace may make in any minute."""

    per_minute: int


TIER_2, TIER_3, TIER_4 = Tier(20), Tier(50), Tier(100)
SPECIAL = Tier(300)


class RateLimits:
    """The rate limits, and the number of calls so far.

    `scale` is the speed of the time in which the limits are measured. At 60, an app may make in each second the
    calls that Slack allows in a minute. At 0, the limits are switched off.
    """

    def __init__(self, monotonic: Callable[[], float], scale: float = 1.0) -> None:
        self.scale = scale
        self._monotonic = monotonic
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._next_post: dict[str, float] = {}

    def call(self, method: str, tier: Tier) -> int:
        """Count a call, or refuse it.

        Returns 0 if the call is allowed, or the wall-clock seconds after which to retry.
        """
        if self.scale == 0:
            return 0
        now = self._monotonic() * self.scale
        calls = self._calls[method]
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= tier.per_minute:
            return self._seconds(calls[0] + 60 - now)
        calls.append(now)
        return 0

    def post(self, channel: str) -> int:
        """Count a message to a channel, or refuse it.

        Returns 0 if the message is allowed, or the wall-clock seconds after which to retry.
        """
        if self.scale == 0:
            return 0
        now = self._monotonic() * self.scale
        free = max(self._next_post.get(channel, now), now)
        if free - now > POST_BURST - 1:
            return self._seconds(free - now - (POST_BURST - 1))
        wait = self.call("chat.postMessage", Tier(POSTS_PER_MINUTE))
        if wait == 0:
            self._next_post[channel] = free + 1
        return wait

    def _seconds(self, wait: float) -> int:
        return max(1, math.ceil(wait / self.scale))
